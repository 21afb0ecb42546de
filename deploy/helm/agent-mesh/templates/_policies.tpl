{{/* Parts of NetworkPolicies. Egress rules also allow `serviceCidrs`, for CNIs that enforce policies before DNAT. */}}

{{- define "agent-mesh.policy-metadata" -}}
name: {{ include "agent-mesh.name" . }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "agent-mesh.labels" . | nindent 2 }}
{{- end }}

{{- define "agent-mesh.ingress" -}}
{{- if .from -}}
- from:
    {{- toYaml .from | nindent 4 }}
  ports:
    - {protocol: TCP, port: {{ .port }}}
{{- end }}
{{- end }}

{{/* Egress to pods (`to`) and Services; without `to`, to Services only. `ports` look like "TCP/9070". */}}
{{- define "agent-mesh.egress" -}}
- to:
    {{- with .to }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- range .root.Values.networkPolicy.serviceCidrs }}
    - ipBlock: {cidr: {{ . | quote }}}
    {{- end }}
  ports:
    {{- range .ports }}
    {{- $parts := splitList "/" . }}
    - {protocol: {{ first $parts }}, port: {{ last $parts }}}
    {{- end }}
{{- end }}

{{/* Egress to addresses outside the cluster. */}}
{{- define "agent-mesh.outside-egress" -}}
- to:
    {{- toYaml .to | nindent 4 }}
  ports:
    {{- range .ports }}
    - {protocol: TCP, port: {{ . | int }}}
    {{- end }}
{{- end }}

{{- define "agent-mesh.restate-peers" -}}
{{- if .Values.networkPolicy.restate }}
{{- toYaml .Values.networkPolicy.restate }}
{{- else }}
- namespaceSelector:
    matchLabels: {kubernetes.io/metadata.name: {{ .Values.restate.register.cluster }}}
  podSelector:
    matchLabels: {app.kubernetes.io/name: restate, app.kubernetes.io/instance: {{ .Values.restate.register.cluster }}}
{{- end }}
{{- end }}

{{- define "agent-mesh.telemetry-egress" -}}
{{- with .Values.telemetry.otlpEndpoint }}
{{- include "agent-mesh.egress" (dict "root" $ "to" $.Values.networkPolicy.collector "ports" (list (printf "TCP/%s" (include "agent-mesh.port-of" .)))) }}
{{- end }}
{{- end }}

{{- define "agent-mesh.model-egress" -}}
{{- if include "agent-mesh.uses-demo-model" . }}
{{- $peer := dict "podSelector" (dict "matchLabels" (include "agent-mesh.selector" (dict "root" . "name" "demo-model") | fromYaml)) }}
{{- include "agent-mesh.egress" (dict "root" . "to" (list $peer) "ports" (list "TCP/9099")) }}
{{- else }}
{{- $ports := default (include "agent-mesh.model-ports" . | fromJsonArray) .Values.networkPolicy.modelEgress.ports }}
{{- include "agent-mesh.outside-egress" (dict "to" .Values.networkPolicy.modelEgress.to "ports" $ports) }}
{{- end }}
{{- end }}

{{/* The port of a URL; defaults to its scheme's port. */}}
{{- define "agent-mesh.port-of" -}}
{{- $host := (urlParse .).host }}
{{- $port := regexFind ":[0-9]+$" $host | trimPrefix ":" }}
{{- default (ternary "443" "80" (hasPrefix "https:" .)) $port }}
{{- end }}
