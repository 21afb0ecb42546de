{{/* A workload's values, as JSON: the defaults, overridden by its own (`own`), with Helm's usual names resolved to ours. */}}

{{- define "agent-mesh.config" -}}
{{- $values := .root.Values }}
{{- $own := .own | default dict }}
{{- $config := mustMergeOverwrite (deepCopy $values.defaults) (deepCopy $own) }}
{{- $candidates := list $own.replicaCount $own.replicas $values.replicaCount $values.defaults.replicaCount $values.defaults.replicas }}
{{- $given := list }}
{{- range $candidates }}{{ if not (kindIs "invalid" .) }}{{ $given = append $given . }}{{ end }}{{ end }}
{{- $_ := set $config "replicas" (first $given) }}
{{- $_ := set $config "podAnnotations" (merge (dict) $config.podAnnotations $values.podAnnotations) }}
{{- $_ := set $config.serviceAccount "annotations" (merge (dict) $config.serviceAccount.annotations $config.serviceAccountAnnotations) }}
{{- toJson $config }}
{{- end }}

{{/* "true" if helm can ask a cluster: a list has a kind even if it has no items. Helm itself has to read Secrets here. */}}
{{- define "agent-mesh.has-cluster" -}}
{{- if (lookup "v1" "Secret" .Release.Namespace "").kind }}true{{ end }}
{{- end }}

{{/*
The field `replicas`. An autoscaler owns it, but without it the API server would set 1 when the autoscaler is switched on, so
helm then writes the number of pods that run. A tool that only renders the chart leaves it out.
*/}}
{{- define "agent-mesh.replicas" -}}
{{- $scaling := .config.autoscaling }}
{{- if not $scaling.enabled }}
replicas: {{ .config.replicas | int }}
{{- else if include "agent-mesh.has-cluster" .root }}
{{- $live := lookup .apiVersion .kind .root.Release.Namespace (include "agent-mesh.name" .) }}
replicas: {{ max ($scaling.min | int) (dig "spec" "replicas" 0 $live | int) }}
{{- end }}
{{- end }}

{{- define "agent-mesh.service-account" -}}
{{- $account := .config.serviceAccount }}
{{- if $account.create }}
{{- default (include "agent-mesh.name" .) $account.name }}
{{- else }}
{{- default "default" $account.name }}
{{- end }}
{{- end }}
