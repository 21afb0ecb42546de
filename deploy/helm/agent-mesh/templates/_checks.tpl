{{/* Checks for combinations of values that the schema cannot express. */}}

{{- define "agent-mesh.check" -}}
{{- if and (kindIs "invalid" .Values.image.registry) (not (.Values.global).imageRegistry) }}
{{- fail "\n\nimage.registry is not set, and the project publishes no images. Build them and push them to your registry (docs/operate/images.md), then set image.registry to it, such as registry.example.org/switchboard. For images that the nodes already have, set it to an empty text." }}
{{- end }}
{{- include "agent-mesh.check-env" . }}
{{- include "agent-mesh.check-model" . }}
{{- include "agent-mesh.check-production" . }}
{{- if not .Values.restate.register.cluster }}
{{- if not (and .Values.restate.ingressUrl .Values.restate.adminUrl) }}
{{- fail "\n\nrestate.register has no cluster, so the chart does not know Restate's addresses. Set restate.ingressUrl and restate.adminUrl." }}
{{- end }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.restate) }}
{{- fail "\n\nrestate.register has no cluster, so the chart does not know Restate's pods. Set networkPolicy.restate to their NetworkPolicy peers." }}
{{- end }}
{{- end }}
{{- range $name, $own := .Values.services }}
{{- if has $name (list "gateway" "demo-model" "test" "switchboard" "dns" "deny-by-default" "removal-check" "speaker-keys" "gateway-events" "events-keys") }}
{{- fail (printf "\n\nservices.%s: the chart already has an object with this name. Choose another name." $name) }}
{{- end }}
{{- $config := include "agent-mesh.config" (dict "root" $ "own" $own) | fromJson }}
{{- include "agent-mesh.check-scale" (dict "where" (printf "services.%s" $name) "config" $config) }}
{{- end }}
{{- $gateway := include "agent-mesh.config" (dict "root" . "own" .Values.gateway) | fromJson }}
{{- include "agent-mesh.check-scale" (dict "where" "gateway" "config" $gateway) }}
{{- if and $gateway.auth.jwksUrl $gateway.auth.existingSecret }}
{{- fail "\n\ngateway.auth: set jwksUrl or existingSecret, not both. Tokens are signed either by an identity provider or with that Secret." }}
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
{{- include "agent-mesh.check-created-secrets" . }}
{{- include "agent-mesh.check-broker" . }}
{{- end }}

{{- define "agent-mesh.check-scale" -}}
{{- $scaling := .config.autoscaling }}
{{- if and $scaling.enabled (gt ($scaling.min | int) ($scaling.max | int)) }}
{{- fail (printf "\n\n%s.autoscaling: min is %d and max is %d, but min must not exceed max." .where ($scaling.min | int) ($scaling.max | int)) }}
{{- end }}
{{- end }}

{{/*
Refuses secrets among plain variables, with the variable's path. Helm reports names that a schema rejects at wrong paths.
Exceptions: a public key, and limits on tokens.
*/}}
{{- define "agent-mesh.check-env" -}}
{{- $groups := dict "defaults" .Values.defaults "gateway" .Values.gateway "demoModel" .Values.demoModel }}
{{- range $name, $own := .Values.services }}{{ $_ := set $groups (printf "services.%s" $name) ($own | default dict) }}{{ end }}
{{- range $where, $own := $groups }}
{{- range $variable, $_ := $own.env }}
{{- if and (regexMatch "KEY|SECRET|PASS|TOKEN|CREDENTIAL" $variable) (not (regexMatch "^(RESTATE_IDENTITY_KEY|([A-Z0-9_]+_)?TOKENS(_[A-Z0-9]+)*_MAX)$" $variable)) }}
{{- fail (printf "\n\n%s.env.%s: the name suggests a secret, and everybody who may read the release can read these values. Put it into a Secret and pass it with %s.extraEnv and valueFrom, or with %s.envFrom." $where $variable $where $where) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
