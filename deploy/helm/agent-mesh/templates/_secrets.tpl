{{/*
Keys that the chart creates if the values name no Secret: once, at the first installation. `lookup` finds nothing if a tool
only renders the chart, so each render would contain another key. agent-mesh.check-created-secrets refuses that.
*/}}

{{/* Arguments: root, name (of the workload, for labels), secret (its name) and entry. */}}
{{- define "agent-mesh.created-secret" }}
{{- if not (lookup "v1" "Secret" .root.Release.Namespace .secret) }}
---
apiVersion: v1
kind: Secret
metadata:
  name: {{ .secret }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "agent-mesh.labels" . | nindent 4 }}
  annotations:
    # Hooks are not part of a release's manifest, so a rollback does not restore an old key, which may have leaked.
    helm.sh/hook: pre-install,pre-upgrade
    # The default policy deletes the Secret before each creation. This one never deletes it, because a Secret cannot fail.
    helm.sh/hook-delete-policy: hook-failed
    # What the key has signed stays valid after an uninstall, and pods that outlive the release's objects can still restart.
    helm.sh/resource-policy: keep
type: Opaque
data:
  {{ .entry }}: {{ randAlphaNum 48 | b64enc }}
{{- end }}
{{- end }}

{{/* Name of the Secret with the keys with which the gateway signs requests. */}}
{{- define "agent-mesh.speaker-secret" -}}
{{ default (include "agent-mesh.name" (dict "root" . "name" "speaker-keys")) .Values.speakerKeys.existingSecret }}
{{- end }}

{{- define "agent-mesh.speaker-env" }}
- {name: SWITCHBOARD_SPEAKER_KEYS, valueFrom: {secretKeyRef: {name: {{ include "agent-mesh.speaker-secret" . }}, key: {{ .Values.speakerKeys.existingSecretKey }}}}}
{{- end }}

{{/* Whether processes tell the gateways about running turns. */}}
{{- define "agent-mesh.tells-events" -}}
{{- if and .Values.events.enabled .Values.gateway.enabled }}true{{ end }}
{{- end }}

{{/* Whether they connect to the gateways for that. With a broker, they do not. */}}
{{- define "agent-mesh.tells-gateways" -}}
{{- if and (include "agent-mesh.tells-events" .) (not .Values.events.broker.existingSecret) }}true{{ end }}
{{- end }}

{{/* Whether they tell a broker, and gateways listen to it. */}}
{{- define "agent-mesh.tells-broker" -}}
{{- if and (include "agent-mesh.tells-events" .) .Values.events.broker.existingSecret }}true{{ end }}
{{- end }}

{{- define "agent-mesh.broker-env" }}
{{- with .Values.events.broker }}
- {name: SWITCHBOARD_EVENTS_BROKER_URL, valueFrom: {secretKeyRef: {name: {{ .existingSecret }}, key: {{ .existingSecretKey }}}}}
{{- end }}
{{- end }}

{{- define "agent-mesh.check-broker" -}}
{{- $events := .Values.events }}
{{- $broker := $events.broker }}
{{- if not (or $broker.existingSecret (eq $broker.existingSecretKey "SWITCHBOARD_EVENTS_BROKER_URL")) }}
{{- fail (printf "\n\nevents.broker.existingSecretKey is `%s`, but events.broker.existingSecret is empty. Set it to the Secret with that entry." $broker.existingSecretKey) }}
{{- end }}
{{- if and $broker.existingSecret (not (include "agent-mesh.tells-events" .)) }}
{{- fail "\n\nevents.broker.existingSecret is set, but events.enabled or gateway.enabled is false, so nothing is sent to the broker. Unset it." }}
{{- end }}
{{- if $broker.existingSecret }}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.brokerEgress.to) }}
{{- fail "\n\nevents.broker.existingSecret is set, but networkPolicy.brokerEgress.to is empty, so no pod could reach the broker. Set it to the broker's NetworkPolicy peers." }}
{{- end }}
{{- if not (or $events.existingSecret (include "agent-mesh.has-cluster" .)) }}
{{- fail "\n\nevents: there is no cluster to create a key in, and without a key the broker's other clients could send events. Create a Secret with the entry SWITCHBOARD_EVENTS_KEYS and set events.existingSecret to its name." }}
{{- end }}
{{- end }}
{{- end }}

{{/*
The keys of the live channel, for the gateways, and for agents and sessions. Not the gateway's signing keys: agents read the
texts of customers and models. Optional, because a tool that only renders the chart creates no Secret.
*/}}
{{- define "agent-mesh.events-keys-env" }}
{{- $secret := default (include "agent-mesh.name" (dict "root" . "name" "events-keys")) .Values.events.existingSecret }}
- {name: SWITCHBOARD_EVENTS_KEYS, valueFrom: {secretKeyRef: {name: {{ $secret }}, key: {{ .Values.events.existingSecretKey }}, optional: true}}}
{{- end }}

{{- define "agent-mesh.check-created-secrets" -}}
{{- $auth := .Values.gateway.auth }}
{{- if not (or $auth.jwksUrl $auth.existingSecret (eq $auth.existingSecretKey "GATEWAY_JWT_SECRET")) }}
{{- fail (printf "\n\ngateway.auth.existingSecretKey is `%s`, but gateway.auth.existingSecret is empty. Set it to the Secret with that entry. The Secret that the chart creates has the entry GATEWAY_JWT_SECRET." $auth.existingSecretKey) }}
{{- end }}
{{- $speaker := .Values.speakerKeys }}
{{- if not (or $speaker.existingSecret (eq $speaker.existingSecretKey "SWITCHBOARD_SPEAKER_KEYS")) }}
{{- fail (printf "\n\nspeakerKeys.existingSecretKey is `%s`, but speakerKeys.existingSecret is empty. Set it to the Secret with that entry. The Secret that the chart creates has the entry SWITCHBOARD_SPEAKER_KEYS." $speaker.existingSecretKey) }}
{{- end }}
{{- $events := .Values.events }}
{{- if not (or $events.existingSecret (eq $events.existingSecretKey "SWITCHBOARD_EVENTS_KEYS")) }}
{{- fail (printf "\n\nevents.existingSecretKey is `%s`, but events.existingSecret is empty. Set it to the Secret with that entry. The Secret that the chart creates has the entry SWITCHBOARD_EVENTS_KEYS." $events.existingSecretKey) }}
{{- end }}
{{- if not (include "agent-mesh.has-cluster" .) }}
{{- $why := "there is no cluster to look for an existing key, so each render would create another one." }}
{{- if and .Values.gateway.enabled (not (or $auth.jwksUrl $auth.existingSecret)) }}
{{- fail (printf "\n\ngateway.auth: %s Create a Secret with the entry GATEWAY_JWT_SECRET and set gateway.auth.existingSecret to its name, or set gateway.auth.jwksUrl." $why) }}
{{- end }}
{{- if not $speaker.existingSecret }}
{{- fail (printf "\n\nspeakerKeys: %s Create a Secret with the entry SWITCHBOARD_SPEAKER_KEYS and set speakerKeys.existingSecret to its name." $why) }}
{{- end }}
{{- end }}
{{- end }}
