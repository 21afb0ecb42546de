{{/* Which models answer, and the keys, addresses and ports that they need. */}}

{{/*
What the chart has to know of each provider (switchboard/models/providers.py): whether it needs a key (`key`) and whether it
needs an address (`baseUrl`), because it has none or its own is the pod itself.
*/}}
{{- define "agent-mesh.providers" -}}
openai: {key: true, baseUrl: false}
azure: {key: true, baseUrl: true}
anthropic: {key: true, baseUrl: false}
openrouter: {key: true, baseUrl: false}
xai: {key: true, baseUrl: false}
groq: {key: true, baseUrl: false}
mistral: {key: true, baseUrl: false}
deepseek: {key: true, baseUrl: false}
gemini: {key: true, baseUrl: false}
bedrock: {key: true, baseUrl: true}
litellm: {key: false, baseUrl: true}
vllm: {key: false, baseUrl: true}
ollama: {key: false, baseUrl: true}
llamacpp: {key: false, baseUrl: true}
lmstudio: {key: false, baseUrl: true}
{{- end }}

{{/* The providers with their values, as JSON: OPENAI's are `model.existingSecret` and the like, unless it is under `providers`. */}}
{{- define "agent-mesh.model-providers" -}}
{{- $model := .Values.model }}
{{- $given := dict }}
{{- if or $model.existingSecret $model.baseUrl }}
{{- $_ := set $given "openai" (pick $model "existingSecret" "existingSecretKey" "baseUrl") }}
{{- end }}
{{- range $name, $own := $model.providers }}
{{- $_ := set $given $name (merge (dict) ($own | default dict) (get $given $name | default dict)) }}
{{- end }}
{{- toJson $given }}
{{- end }}

{{/* "true" or empty. */}}
{{- define "agent-mesh.uses-demo-model" -}}
{{- $wanted := .Values.demoModel.enabled | toString }}
{{- $model := .Values.model }}
{{- if or (eq $wanted "true") (and (eq $wanted "auto") (not (or $model.existingSecret $model.providers))) }}true{{ end }}
{{- end }}

{{- define "agent-mesh.model-env" -}}
{{- $model := .Values.model }}
{{- if include "agent-mesh.uses-demo-model" . }}
- {name: OPENAI_API_KEY, value: not-needed}
- {name: OPENAI_BASE_URL, value: "http://{{ include "agent-mesh.name" (dict "root" . "name" "demo-model") }}:9099/v1"}
- {name: OPENAI_SENDS, value: all}
- {name: SWITCHBOARD_MODEL, value: demo}
{{- else }}
{{- range $name, $own := include "agent-mesh.model-providers" . | fromJson }}
{{- $prefix := upper $name | replace "-" "_" }}
{{- with $own.existingSecret }}
- {name: {{ $prefix }}_API_KEY, valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ default (printf "%s_API_KEY" $prefix) $own.existingSecretKey }}}}}
{{- end }}
{{- range $value, $variable := dict "baseUrl" "BASE_URL" "wireApi" "WIRE_API" "sends" "SENDS" }}
{{- with get $own $value }}
- {name: {{ $prefix }}_{{ $variable }}, value: {{ . | quote }}}
{{- end }}
{{- end }}
{{- end }}
{{- with $model.name }}
- {name: SWITCHBOARD_MODEL, value: {{ . | quote }}}
{{- end }}
{{- with $model.fallbackModels }}
- {name: SWITCHBOARD_FALLBACK_MODELS, value: {{ join "," . | quote }}}
{{- end }}
{{- with $model.options }}
- {name: SWITCHBOARD_MODEL_OPTIONS, value: {{ toJson . | quote }}}
{{- end }}
{{- with $model.timeout }}
- {name: SWITCHBOARD_MODEL_TIMEOUT, value: {{ . | quote }}}
{{- end }}
{{- end }}
- {name: SWITCHBOARD_MODEL_CALLS_MAX, value: {{ $model.callsMax | int | quote }}}
{{- end }}

{{/* Ports of the models' endpoints, as a JSON list. */}}
{{- define "agent-mesh.model-ports" -}}
{{- $ports := list }}
{{- range include "agent-mesh.model-providers" . | fromJson }}
{{- $ports = append $ports (include "agent-mesh.port-of" (default "https://" .baseUrl)) }}
{{- end }}
{{- default (list "443") $ports | uniq | sortAlpha | toJson }}
{{- end }}

{{/* Refuses values that would have no effect, because the demo model answers or the Secret is missing. */}}
{{- define "agent-mesh.check-model-partners" -}}
{{- $model := .Values.model }}
{{- if and (include "agent-mesh.uses-demo-model" .) (eq (.Values.demoModel.enabled | toString) "auto") }}
{{- range $value := list "name" "baseUrl" "fallbackModels" "options" "timeout" }}
{{- if get $model $value }}
{{- fail (printf "\n\nmodel.%s is set, but model.existingSecret and model.providers are empty, so the demo model would answer. Set model.existingSecret to the Secret with the key, or name your provider in model.providers (vllm and ollama need no key). For the demo model, set demoModel.enabled=true." $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- if not (or $model.existingSecret (eq $model.existingSecretKey "OPENAI_API_KEY")) }}
{{- fail (printf "\n\nmodel.existingSecretKey is `%s`, but model.existingSecret is empty. Set it to the Secret with that entry." $model.existingSecretKey) }}
{{- end }}
{{- range $name, $own := $model.providers }}
{{- if and ($own | default dict).existingSecretKey (not $own.existingSecret) }}
{{- fail (printf "\n\nmodel.providers.%s.existingSecretKey is `%s`, but existingSecret is empty. Set it to the Secret with that entry." $name $own.existingSecretKey) }}
{{- end }}
{{- end }}
{{- end }}

{{/* Refuses models that could not be reached. */}}
{{- define "agent-mesh.check-model" -}}
{{- include "agent-mesh.check-model-partners" . }}
{{- $known := include "agent-mesh.providers" . | fromYaml }}
{{- $given := include "agent-mesh.model-providers" . | fromJson }}
{{- if not (include "agent-mesh.uses-demo-model" .) }}
{{- if not $given }}
{{- fail "\n\nThere is no model: demoModel.enabled is false and model.existingSecret and model.providers are empty. Create a Secret with the API key and set model.existingSecret to its name,\n  kubectl create secret generic model-key-1 --from-literal=OPENAI_API_KEY=...\nor name another provider in model.providers, or enable the demo model." }}
{{- end }}
{{- range $name, $own := $given }}
{{- $needs := get $known $name }}
{{- if and $needs.key (not $own.existingSecret) }}
{{- fail (printf "\n\nmodel.providers.%s.existingSecret is empty, but this provider needs a key. Set it to a Secret with the key." $name) }}
{{- end }}
{{- if and $needs.baseUrl (not $own.baseUrl) }}
{{- fail (printf "\n\nmodel.providers.%s.baseUrl is empty. This provider has no address of its own outside the pod: set it to your endpoint's." $name) }}
{{- end }}
{{- end }}
{{- range prepend .Values.model.fallbackModels .Values.model.name | compact }}
{{- $provider := splitList ":" . | first }}
{{- if and (contains ":" .) (hasKey $known $provider) (not (hasKey $given $provider)) }}
{{- fail (printf "\n\nThe model `%s` needs the provider %s, but neither model.providers.%s nor its key is set." . $provider $provider) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
