{{/* Labels for objects other than the RestateCluster, whose labels are copied to Restate's pods. */}}
{{- define "mesh-platform.labels" -}}
app.kubernetes.io/part-of: switchboard
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Selector labels of the collector's pods and of Jaeger's, as their charts set them. */}}
{{- define "mesh-platform.collector-labels" -}}
app.kubernetes.io/name: {{ default "opentelemetry-collector" (index .Values "opentelemetry-collector").nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mesh-platform.jaeger-labels" -}}
app.kubernetes.io/name: {{ default "jaeger" .Values.jaeger.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Restate's tracing endpoint, or nothing. Restate does not start if the variable is empty, so it must be left out. */}}
{{- define "mesh-platform.tracing-endpoint" -}}
{{- $collector := index .Values "opentelemetry-collector" }}
{{- if .Values.restate.tracing.enabled }}
{{- if .Values.restate.tracing.endpoint }}
{{- .Values.restate.tracing.endpoint }}
{{- else if $collector.enabled }}
{{- printf "http://%s.%s:4317" $collector.fullnameOverride .Release.Namespace }}
{{- end }}
{{- end }}
{{- end }}

{{/* repository@digest, or repository:tag if there is no digest. */}}
{{- define "mesh-platform.restate-image" -}}
{{- with .Values.restate.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* Checks for combinations of values that the schema cannot express. */}}
{{- define "mesh-platform.refusals" -}}
{{- with .Values.restate }}
{{- if and (gt (int .replicas) 1) (not .snapshots.destination) }}
{{- fail "restate.snapshots.destination (s3://bucket/path) is required with more than one replica: a node that was down catches up from a snapshot, and without snapshots the log is never trimmed" }}
{{- end }}
{{- if gt (int .replication) (int .replicas) }}
{{- fail (printf "restate.replication is %d, but restate.replicas is only %d: replication must not exceed the number of nodes" (int .replication) (int .replicas)) }}
{{- end }}
{{- if and (gt (int .replicas) 1) (lt (int .replication) 2) }}
{{- fail "restate.replication must be 2 or more with more than one replica: otherwise each part of the log is on the disk of a single node" }}
{{- end }}
{{- if and (eq .metadata.type "object-store") (not .metadata.path) }}
{{- fail "restate.metadata.path (s3://bucket/path) is required with restate.metadata.type=object-store" }}
{{- end }}
{{- end }}
{{- end }}
