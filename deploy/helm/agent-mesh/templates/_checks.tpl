{{/* What a schema cannot say: values that do not go together, each with what to do. */}}

{{- define "agent-mesh.check" -}}
{{- $demo := include "agent-mesh.uses-demo-model" . }}
{{- if and (not $demo) (not .Values.model.existingSecret) }}
{{- fail "\n\ndemoModel.enabled is false and model.existingSecret is empty: name a Secret that holds the model's key,\n  kubectl create secret generic model-key --from-literal=OPENAI_API_KEY=...\nor let the demo model answer." }}
{{- end }}
{{- if not .Values.restate.register.cluster }}
{{- if not (and .Values.restate.ingressUrl .Values.restate.adminUrl) }}
{{- fail "\n\nrestate.register names no cluster: set restate.ingressUrl and restate.adminUrl to that Restate's addresses." }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.restate) }}
{{- fail "\n\nrestate.register names no cluster: set networkPolicy.restate to the peers that Restate's calls come from and go to." }}
{{- end }}
{{- end }}
{{- range $name, $own := .Values.services }}
{{- if has $name (list "gateway" "demo-model" "test" "switchboard" "dns" "deny-by-default") }}
{{- fail (printf "\n\nservices.%s: the chart has an object of that name itself; choose another one." $name) }}
{{- end }}
{{- $config := mustMergeOverwrite (deepCopy $.Values.defaults) (deepCopy ($own | default dict)) }}
{{- include "agent-mesh.check-scale" (dict "where" (printf "services.%s" $name) "config" $config) }}
{{- end }}
{{- $gateway := mustMergeOverwrite (deepCopy .Values.defaults) (deepCopy .Values.gateway) }}
{{- include "agent-mesh.check-scale" (dict "where" "gateway" "config" $gateway) }}
{{- if and $gateway.auth.jwksUrl $gateway.auth.existingSecret }}
{{- fail "\n\ngateway.auth: set jwksUrl or existingSecret, not both: tokens are signed by the one or with the other." }}
{{- end }}
{{- if not (or $gateway.auth.jwksUrl $gateway.auth.existingSecret (eq $gateway.auth.existingSecretKey "GATEWAY_JWT_SECRET")) }}
{{- fail (printf "\n\ngateway.auth.existingSecretKey is `%s`, an entry of no Secret: name its Secret in gateway.auth.existingSecret too. The one that the chart makes has the entry GATEWAY_JWT_SECRET." $gateway.auth.existingSecretKey) }}
{{- end }}
{{- if and $gateway.auth.jwksUrl (not (and $gateway.auth.issuer $gateway.auth.audience)) }}
{{- fail "\n\ngateway.auth.jwksUrl needs issuer and audience: an identity provider signs tokens for many, and only those for us are ours." }}
{{- end }}
{{- if and $gateway.ingress.enabled (not $gateway.ingress.hosts) }}
{{- fail "\n\ngateway.ingress.enabled needs gateway.ingress.hosts, such as [mesh.example.org]." }}
{{- end }}
{{- if and $gateway.httpRoute.enabled (not $gateway.httpRoute.parentRefs) }}
{{- fail "\n\ngateway.httpRoute.enabled needs gateway.httpRoute.parentRefs: the Gateway that it belongs to." }}
{{- end }}
{{- end }}

{{- define "agent-mesh.check-scale" -}}
{{- $scaling := .config.autoscaling }}
{{- if and $scaling.enabled (gt ($scaling.min | int) ($scaling.max | int)) }}
{{- fail (printf "\n\n%s.autoscaling: min is %d and max is %d; min may be at most max." .where ($scaling.min | int) ($scaling.max | int)) }}
{{- end }}
{{- end }}
