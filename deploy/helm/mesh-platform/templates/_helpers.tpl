{{/* For metadata of what rolls nothing. Never for the RestateCluster: its labels become those of Restate's pods. */}}
{{- define "mesh-platform.labels" -}}
app.kubernetes.io/part-of: switchboard
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What selects the collector's pods, and Jaeger's. Their charts name them so. */}}
{{- define "mesh-platform.collector-labels" -}}
app.kubernetes.io/name: {{ default "opentelemetry-collector" (index .Values "opentelemetry-collector").nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "mesh-platform.jaeger-labels" -}}
app.kubernetes.io/name: {{ default "jaeger" .Values.jaeger.nameOverride }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* Where Restate sends spans; nothing when it sends none: an empty variable would keep it from starting. */}}
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

{{/* registry/repository@digest, or :tag where no digest is given. */}}
{{- define "mesh-platform.restate-image" -}}
{{- with .Values.restate.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}{{ else }}{{ .repository }}:{{ .tag }}{{ end }}
{{- end }}
{{- end }}

{{/* What no schema can say, each with what to do. */}}
{{- define "mesh-platform.refusals" -}}
{{- with .Values.restate }}
{{- if and (gt (int .replicas) 1) (not .snapshots.destination) }}
{{- fail "restate.snapshots.destination is needed with more than one replica, as s3://bucket/path: a node that was away catches up from a snapshot, and without one the log is never trimmed" }}
{{- end }}
{{- if gt (int .replication) (int .replicas) }}
{{- fail (printf "restate.replication is %d and restate.replicas is %d: a record cannot be on more nodes than there are" (int .replication) (int .replicas)) }}
{{- end }}
{{- if and (gt (int .replicas) 1) (lt (int .replication) 2) }}
{{- fail "restate.replication has to be 2 or more with more than one replica: else each node alone holds a part of the log, and its disk is the only one" }}
{{- end }}
{{- if and (eq .metadata.type "object-store") (not .metadata.path) }}
{{- fail "restate.metadata.path is needed with restate.metadata.type=object-store, as s3://bucket/path" }}
{{- end }}
{{- end }}
{{- end }}
