{{/*
A container's environment variables, sorted by name. A service's own variables override those for all services. All of
them are in the pod template and none in a ConfigMap: a changed ConfigMap would also change old versions that are draining.
*/}}

{{- define "agent-mesh.env" -}}
{{- $env := dict }}
{{- range .given }}{{ $_ := set $env .name . }}{{ end }}
{{- range .root.Values.extraEnv }}{{ $_ := set $env .name . }}{{ end }}
{{- range $name, $value := .config.env }}{{ $_ := set $env $name (dict "name" $name "value" $value) }}{{ end }}
{{- range .config.extraEnv }}{{ $_ := set $env .name . }}{{ end }}
{{- range $name := keys $env | sortAlpha }}
- {{ toJson (get $env $name) }}
{{- end }}
{{- end }}

{{/* Variables of every process: address, logging and telemetry. */}}
{{- define "agent-mesh.process-env" -}}
- {name: HOST, value: {{ .root.Values.host | quote }}}
- {name: PORT, value: {{ .port | quote }}}
- {name: LOG_LEVEL, value: {{ .root.Values.telemetry.logLevel }}}
- {name: LOG_FORMAT, value: json}
- {name: TELEMETRY_CONTENT, value: {{ .root.Values.telemetry.content | quote }}}
{{- with .root.Values.telemetry.otlpEndpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- end }}

{{- define "agent-mesh.service-env" -}}
{{- $root := .root }}
{{- include "agent-mesh.process-env" (dict "root" $root "port" 9080) }}
{{- with include "agent-mesh.identity-key" $root }}
- {name: RESTATE_IDENTITY_KEY, value: {{ . | quote }}}
{{- end }}
{{- if .config.uses.speakerKeys }}
{{- include "agent-mesh.speaker-env" $root }}
{{- end }}
{{- if .config.uses.restateAdmin }}
- {name: RESTATE_ADMIN_URL, value: {{ include "agent-mesh.admin-url" $root | quote }}}
{{- end }}
{{- if .config.uses.model }}
{{- include "agent-mesh.model-env" $root }}
{{- if include "agent-mesh.tells-broker" $root }}
{{- include "agent-mesh.broker-env" $root }}
{{- end }}
{{- if include "agent-mesh.tells-gateways" $root }}
- {name: SWITCHBOARD_EVENTS_URLS, value: "http://{{ include "agent-mesh.name" (dict "root" $root "name" "gateway-events") }}:9465"}
{{- end }}
{{- if include "agent-mesh.tells-events" $root }}
{{- include "agent-mesh.events-keys-env" $root }}
{{- end }}
{{- end }}
{{- if and .config.uses.prices $root.Values.model.prices }}
- {name: SWITCHBOARD_PRICES, value: {{ $root.Values.model.prices | toJson | quote }}}
- {name: SWITCHBOARD_PRICE_CURRENCY, value: {{ $root.Values.model.priceCurrency }}}
{{- end }}
{{- if .config.uses.prices }}
{{- include "agent-mesh.session-env" $root }}
{{- end }}
{{- end }}

{{/* Limits of sessions and of customers. helm reads large numbers as floating point. */}}
{{- define "agent-mesh.session-env" -}}
{{- with .Values.sessions }}
- {name: SWITCHBOARD_SESSION_BUDGET, value: {{ .budget | quote }}}
- {name: SWITCHBOARD_SESSION_TOKENS_MAX, value: {{ .tokensMax | int64 | quote }}}
- {name: SWITCHBOARD_TURN_TOKENS_MAX, value: {{ .turnTokensMax | int64 | quote }}}
- {name: SWITCHBOARD_SESSION_IDLE_MAX, value: {{ .idleMax | quote }}}
- {name: SWITCHBOARD_STAFF_SILENT_MAX, value: {{ .staffSilentMax | quote }}}
- {name: SWITCHBOARD_CUSTOMER_TURNS_MAX, value: {{ .customer.turnsMax | int64 | quote }}}
- {name: SWITCHBOARD_CUSTOMER_TURNS_PER_MINUTE, value: {{ .customer.turnsPerMinute | int64 | quote }}}
- {name: SWITCHBOARD_CUSTOMER_SESSIONS_PER_DAY, value: {{ .customer.sessionsPerDay | int64 | quote }}}
- {name: SWITCHBOARD_CUSTOMER_TOKENS_PER_DAY, value: {{ .customer.tokensPerDay | int64 | quote }}}
- {name: SWITCHBOARD_CUSTOMER_COST_PER_DAY, value: {{ .customer.costPerDay | quote }}}
{{- end }}
{{- end }}
