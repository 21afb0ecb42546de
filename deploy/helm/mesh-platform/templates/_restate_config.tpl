{{/* Restate's configuration file. Set all other options as environment variables, in restate.extraEnv. */}}
{{- define "mesh-platform.restate-config" -}}
{{- with .Values.restate -}}
{{- if eq .metadata.type "object-store" }}
roles = ["worker", "admin", "log-server", "http-ingress"]
{{- else }}
roles = ["worker", "admin", "log-server", "metadata-server", "http-ingress"]
{{- end }}
# The operator provisions the cluster, once.
auto-provision = false
default-num-partitions = {{ int .partitions }}
default-replication = {{ int .replication }}
disable-telemetry = {{ not .usageTelemetry }}
rocksdb-total-memory-size = {{ .memory.rocksdb | quote }}

[worker.invoker]
memory-limit = {{ .memory.invocations | quote }}
concurrent-invocations-limit = {{ int .invocationsMax }}
http2-streams-per-connection-limit = {{ int .streamsPerConnection }}

[admin.query-engine]
memory-size = {{ .memory.queries | quote }}

[bifrost]
record-cache-memory-size = {{ .memory.records | quote }}
{{- if eq .metadata.type "object-store" }}

[metadata-client]
type = "object-store"
path = {{ .metadata.path | quote }}
{{- include "mesh-platform.s3" .s3 }}
{{- else if gt (int .replicas) 1 }}

[metadata-client]
addresses = ["http://restate-cluster:5122/"]
{{- end }}
{{- if .snapshots.destination }}

[worker.snapshots]
destination = {{ .snapshots.destination | quote }}
snapshot-interval = {{ .snapshots.interval | quote }}
num-retained = {{ int .snapshots.retained }}
{{- include "mesh-platform.s3" .s3 }}
{{- end }}
{{- end }}
{{- end }}

{{- define "mesh-platform.s3" -}}
{{- with .region }}
aws-region = {{ . | quote }}
{{- end }}
{{- with .endpoint }}
aws-endpoint-url = {{ . | quote }}
{{- end }}
{{- if .allowHttp }}
aws-allow-http = true
{{- end }}
{{- end }}

{{- define "mesh-platform.restate-env" -}}
{{- $restate := .Values.restate }}
- {name: RESTATE_INGRESS__ADVERTISED_ADDRESS, value: {{ $restate.advertisedIngressUrl | quote }}}
- {name: RESTATE_LOG_FILTER, value: {{ $restate.logFilter | quote }}}
{{- with include "mesh-platform.tracing-endpoint" . }}
- {name: RESTATE_TRACING_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- with $restate.s3.existingSecret }}
{{- $into := list }}
{{- if $restate.snapshots.destination }}{{ $into = append $into "RESTATE_WORKER__SNAPSHOTS" }}{{ end }}
{{- if eq $restate.metadata.type "object-store" }}{{ $into = append $into "RESTATE_METADATA_CLIENT" }}{{ end }}
{{- range $into }}
- {name: {{ . }}__AWS_ACCESS_KEY_ID, valueFrom: {secretKeyRef: {name: {{ $restate.s3.existingSecret }}, key: {{ $restate.s3.accessKeyIdKey }}}}}
- {name: {{ . }}__AWS_SECRET_ACCESS_KEY, valueFrom: {secretKeyRef: {name: {{ $restate.s3.existingSecret }}, key: {{ $restate.s3.secretAccessKeyKey }}}}}
{{- end }}
{{- end }}
{{- with $restate.extraEnv }}
{{ toYaml . }}
{{- end }}
{{- end }}
