{{/* Names, labels and images. Pod labels contain no chart version: it would roll out every agent at each upgrade. */}}

{{- define "agent-mesh.name" -}}
{{- $prefix := .root.Values.namePrefix }}
{{- with .root.Values.fullnameOverride }}{{ $prefix = printf "%s-" . }}{{ end }}
{{- $prefix }}{{ .name }}
{{- end }}

{{- define "agent-mesh.part-of" -}}
{{ default .Chart.Name .Values.nameOverride }}
{{- end }}

{{/* Selects the pods of one workload. */}}
{{- define "agent-mesh.selector" -}}
app.kubernetes.io/name: {{ .name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- end }}

{{/* Selects every pod of the release. */}}
{{- define "agent-mesh.release-selector" -}}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/part-of: {{ include "agent-mesh.part-of" . }}
{{- end }}

{{- define "agent-mesh.pod-labels" -}}
{{ include "agent-mesh.selector" . }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: {{ include "agent-mesh.part-of" .root }}
{{- if and (eq .component "service") .config.uses.restateAdmin }}
# mesh-platform opens Restate's admin API to pods with this label.
switchboard-mesh.io/restate-admin: "true"
{{- end }}
{{- with .config.podLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "agent-mesh.pod-annotations" -}}
{{- $annotations := deepCopy .config.podAnnotations }}
{{- with .root.Values.secretsRevision }}
{{- $_ := set $annotations "switchboard-mesh.io/secrets-revision" . }}
{{- end }}
{{- with $annotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Labels for objects other than pods. They contain the chart version. */}}
{{- define "agent-mesh.labels" -}}
{{ include "agent-mesh.selector" . }}
app.kubernetes.io/part-of: {{ include "agent-mesh.part-of" .root }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* registry/repository@digest, or registry/repository:tag if there is no digest. `global.imageRegistry` is the registry. */}}
{{- define "agent-mesh.image" -}}
{{- $image := .config.image }}
{{- $repository := default (printf "switchboard-%s" .name) $image.repository }}
{{- $path := list (default .root.Values.image.registry (.root.Values.global).imageRegistry) $repository | compact | join "/" }}
{{- if $image.digest -}}
{{ $path }}@{{ $image.digest }}
{{- else -}}
{{ $path }}:{{ coalesce $image.tag .root.Values.image.tag .root.Chart.AppVersion }}
{{- end }}
{{- end }}

{{- define "agent-mesh.ingress-url" -}}
{{ default (printf "http://restate.%s:8080" (default "" .Values.restate.register.cluster)) .Values.restate.ingressUrl }}
{{- end }}

{{- define "agent-mesh.admin-url" -}}
{{ default (printf "http://restate.%s:9070" (default "" .Values.restate.register.cluster)) .Values.restate.adminUrl }}
{{- end }}

{{/*
The public key of Restate's request signing, or nothing. mesh-platform writes the one that it created into a ConfigMap.
*/}}
{{- define "agent-mesh.identity-key" -}}
{{- $restate := .Values.restate }}
{{- if $restate.identityKey }}
{{- $restate.identityKey }}
{{- else if $restate.register.cluster }}
{{- dig "data" "public" "" (lookup "v1" "ConfigMap" $restate.register.cluster "request-signing") }}
{{- end }}
{{- end }}
