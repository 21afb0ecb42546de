{{/*
The pod of a workload. Arguments: name, component, config (the defaults merged with the workload's own values) and container
(ports, probes, env and lifecycle as YAML).
*/}}

{{- define "agent-mesh.pod" -}}
metadata:
  labels:
    {{- include "agent-mesh.pod-labels" . | nindent 4 }}
  {{- include "agent-mesh.pod-annotations" . | trim | nindent 2 }}
spec:
  {{- include "agent-mesh.pod-spec" . | nindent 2 }}
{{- end }}

{{- define "agent-mesh.pod-spec" -}}
{{- $config := .config -}}
serviceAccountName: {{ include "agent-mesh.service-account" . }}
automountServiceAccountToken: false
enableServiceLinks: false
terminationGracePeriodSeconds: {{ $config.terminationGracePeriodSeconds | int }}
securityContext:
  {{- toYaml $config.podSecurityContext | nindent 2 }}
{{- include "agent-mesh.pull-secrets" .root }}
{{- with $config.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with $config.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $config.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $config.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $config.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $config.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if $config.spread.enabled }}
topologySpreadConstraints:
  {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
  - maxSkew: 1
    topologyKey: {{ $key }}
    whenUnsatisfiable: {{ $config.spread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "agent-mesh.selector" $ | nindent 8 }}
    # Spread each version separately: pods of a draining version do not count for the new one.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- if or $config.migrateCommand $config.initContainers }}
initContainers:
  {{- with $config.initContainers }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- if $config.migrateCommand }}
  - name: migrate
    image: {{ include "agent-mesh.image" . }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    command: {{ toJson $config.migrateCommand }}
    env:
      {{- (.container | fromYaml).env | toYaml | nindent 6 }}
    {{- with concat .root.Values.extraEnvFrom $config.envFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml $config.resources | nindent 6 }}
    securityContext:
      {{- toYaml $config.securityContext | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- with $config.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  {{- end }}
{{- end }}
containers:
  - name: {{ .name }}
    image: {{ include "agent-mesh.image" . }}
    imagePullPolicy: {{ .root.Values.image.pullPolicy }}
    {{- .container | nindent 4 }}
    {{- $envFrom := concat .root.Values.extraEnvFrom $config.envFrom }}
    {{- with $envFrom }}
    envFrom:
      {{- toYaml . | nindent 6 }}
    {{- end }}
    resources:
      {{- toYaml $config.resources | nindent 6 }}
    securityContext:
      {{- toYaml $config.securityContext | nindent 6 }}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      {{- with $config.extraVolumeMounts }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
  {{- with $config.sidecars }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
volumes:
  - name: tmp
    emptyDir: {sizeLimit: 64Mi}
  {{- with $config.extraVolumes }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "agent-mesh.pull-secrets" }}
{{- $names := .Values.image.pullSecrets }}
{{- range .Values.imagePullSecrets }}{{ $names = append $names (kindIs "string" . | ternary . (get (kindIs "string" . | ternary (dict) .) "name")) }}{{ end }}
{{- with $names | uniq }}
imagePullSecrets:
  {{- range . }}
  - {name: {{ . }}}
  {{- end }}
{{- end }}
{{- end }}

{{/* HTTP probes on one named port. A busy event loop answers late, so a pod is restarted only after 90 s without answer. */}}
{{- define "agent-mesh.probes" -}}
startupProbe:
  httpGet: {path: {{ .live }}, port: {{ .port }}}
  periodSeconds: 2
  timeoutSeconds: 5
  failureThreshold: 60
readinessProbe:
  httpGet: {path: {{ .ready }}, port: {{ .port }}}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 3
livenessProbe:
  httpGet: {path: {{ .live }}, port: {{ .port }}}
  periodSeconds: 15
  timeoutSeconds: 5
  failureThreshold: 6
{{- end }}
