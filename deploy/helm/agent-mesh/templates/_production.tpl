{{/* With `production: true`, the chart refuses values that are not fit for customers, all in one message. */}}

{{- define "agent-mesh.check-production" -}}
{{- if .Values.production }}
{{- $missing := list }}
{{- if not (include "agent-mesh.identity-key" .) }}
{{- $missing = append $missing "restate.identityKey is empty: services would accept requests from every process that reaches them. Let mesh-platform create the key, or set the public key of its Secret" }}
{{- end }}
{{- if include "agent-mesh.uses-demo-model" . }}
{{- $missing = append $missing "the demo model is in use: set model.existingSecret or model.providers" }}
{{- end }}
{{- if not .Values.networkPolicy.enabled }}
{{- $missing = append $missing "networkPolicy.enabled is false: any pod in the cluster could call the tools as any customer" }}
{{- end }}
{{- if eq .Values.telemetry.content "full" }}
{{- $missing = append $missing "telemetry.content is `full`: logs and spans would contain what customers write" }}
{{- end }}
{{- $workloads := dict }}
{{- range $name, $own := .Values.services }}{{ $_ := set $workloads (printf "services.%s" $name) $own }}{{ end }}
{{- $_ := set $workloads "gateway" .Values.gateway }}
{{- range $where, $own := $workloads }}
{{- $config := include "agent-mesh.config" (dict "root" $ "own" $own) | fromJson }}
{{- if and $config.enabled (not $config.image.digest) }}
{{- $missing = append $missing (printf "%s.image.digest is empty: a tag can be moved to other code. `python -m scripts.images digests` writes the values" $where) }}
{{- end }}
{{- end }}
{{- if $missing }}
{{- fail (printf "\n\nThese values are not fit for customers (production: true):\n- %s." (join ".\n- " $missing)) }}
{{- end }}
{{- end }}
{{- end }}
