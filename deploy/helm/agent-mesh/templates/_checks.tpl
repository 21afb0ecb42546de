{{/* Checks for combinations of values that the schema cannot express. */}}

{{- define "agent-mesh.check" -}}
{{- $demo := include "agent-mesh.uses-demo-model" . }}
{{- if and (not $demo) (not .Values.model.existingSecret) }}
{{- fail "\n\nThere is no model: demoModel.enabled is false and model.existingSecret is empty. Create a Secret with the API key and set model.existingSecret to its name,\n  kubectl create secret generic model-key --from-literal=OPENAI_API_KEY=...\nor enable the demo model." }}
{{- end }}
{{- if not .Values.restate.register.cluster }}
{{- if not (and .Values.restate.ingressUrl .Values.restate.adminUrl) }}
{{- fail "\n\nrestate.register has no cluster, so the chart does not know Restate's addresses. Set restate.ingressUrl and restate.adminUrl." }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.restate) }}
{{- fail "\n\nrestate.register has no cluster, so the chart does not know Restate's pods. Set networkPolicy.restate to their NetworkPolicy peers." }}
{{- end }}
{{- end }}
{{- range $name, $own := .Values.services }}
{{- if has $name (list "gateway" "demo-model" "test" "switchboard" "dns" "deny-by-default") }}
{{- fail (printf "\n\nservices.%s: the chart already has an object with this name. Choose another name." $name) }}
{{- end }}
{{- $config := mustMergeOverwrite (deepCopy $.Values.defaults) (deepCopy ($own | default dict)) }}
{{- include "agent-mesh.check-scale" (dict "where" (printf "services.%s" $name) "config" $config) }}
{{- end }}
{{- $gateway := mustMergeOverwrite (deepCopy .Values.defaults) (deepCopy .Values.gateway) }}
{{- include "agent-mesh.check-scale" (dict "where" "gateway" "config" $gateway) }}
{{- if and $gateway.auth.jwksUrl $gateway.auth.existingSecret }}
{{- fail "\n\ngateway.auth: set jwksUrl or existingSecret, not both. Tokens are signed either by an identity provider or with that Secret." }}
{{- end }}
{{- if not (or $gateway.auth.jwksUrl $gateway.auth.existingSecret (eq $gateway.auth.existingSecretKey "GATEWAY_JWT_SECRET")) }}
{{- fail (printf "\n\ngateway.auth.existingSecretKey is `%s`, but gateway.auth.existingSecret is empty. Set it to the Secret with that entry. The Secret that the chart creates has the entry GATEWAY_JWT_SECRET." $gateway.auth.existingSecretKey) }}
{{- end }}
{{- if and $gateway.auth.jwksUrl (not (and $gateway.auth.issuer $gateway.auth.audience)) }}
{{- fail "\n\ngateway.auth.jwksUrl needs issuer and audience. Without them the gateway would also accept tokens that the provider signed for other applications." }}
{{- end }}
{{- if and $gateway.ingress.enabled (not $gateway.ingress.hosts) }}
{{- fail "\n\ngateway.ingress.enabled needs gateway.ingress.hosts, such as [mesh.example.org]." }}
{{- end }}
{{- if and $gateway.httpRoute.enabled (not $gateway.httpRoute.parentRefs) }}
{{- fail "\n\ngateway.httpRoute.enabled needs gateway.httpRoute.parentRefs, with a reference to the parent Gateway." }}
{{- end }}
{{- end }}

{{- define "agent-mesh.check-scale" -}}
{{- $scaling := .config.autoscaling }}
{{- if and $scaling.enabled (gt ($scaling.min | int) ($scaling.max | int)) }}
{{- fail (printf "\n\n%s.autoscaling: min is %d and max is %d, but min must not exceed max." .where ($scaling.min | int) ($scaling.max | int)) }}
{{- end }}
{{- end }}
