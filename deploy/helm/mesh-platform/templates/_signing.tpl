{{/*
The key with which Restate signs its requests. The chart creates it once. `lookup` finds nothing if a tool only renders the
chart: each render would then contain another key, so the chart refuses.
*/}}

{{/* Name of the Secret and of the ConfigMap that the chart creates in the RestateCluster's namespace. */}}
{{- define "mesh-platform.signing-name" -}}
request-signing
{{- end }}

{{/* "true" if the chart is responsible for the key, otherwise empty. */}}
{{- define "mesh-platform.creates-key" -}}
{{- with .Values.restate }}
{{- if and .enabled .requestSigning.create (not .requestSigning.existingSecret) (not .requestSigning.secretProvider) }}true{{ end }}
{{- end }}
{{- end }}

{{/* "true" if helm can ask a cluster: a list has a kind even if it has no items. Helm itself has to read Secrets here. */}}
{{- define "mesh-platform.has-cluster" -}}
{{- if (lookup "v1" "Secret" .Release.Namespace "").kind }}true{{ end }}
{{- end }}

{{/*
Public key of an Ed25519 key in the form that SDKs expect: `publickeyv1_` and the 32 bytes in base 58. Helm has no function
for it, but it can make a certificate, which contains the public key in a fixed frame (RFC 8410).
*/}}
{{- define "mesh-platform.public-key" -}}
{{- $certificate := (genSelfSignedCertWithKey "restate" (list) (list) 1 .).Cert }}
{{- $der := $certificate | replace "-----BEGIN CERTIFICATE-----" "" | replace "-----END CERTIFICATE-----" "" | replace "\n" "" | b64dec | printf "%x" }}
{{- $key := regexFind "302a300506032b6570032100[0-9a-f]{64}" $der | trimPrefix "302a300506032b6570032100" }}
{{- if not $key }}{{ fail "cannot find the public key in the certificate" }}{{ end }}
{{- include "mesh-platform.base58" $key | printf "publickeyv1_%s" }}
{{- end }}

{{/* Base 58 (Bitcoin's alphabet) of hexadecimal digits. Each leading zero byte is a 1. */}}
{{- define "mesh-platform.base58" -}}
{{- $alphabet := "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz" }}
{{- $digits := list }}
{{- range $hex := splitList "" . }}
{{- $carry := index (dict "0" 0 "1" 1 "2" 2 "3" 3 "4" 4 "5" 5 "6" 6 "7" 7 "8" 8 "9" 9 "a" 10 "b" 11 "c" 12 "d" 13 "e" 14 "f" 15) $hex }}
{{- $next := list }}
{{- range $digit := $digits }}
{{- $value := add (mul $digit 16) $carry }}
{{- $next = append $next (mod $value 58) }}
{{- $carry = div $value 58 }}
{{- end }}
{{- if gt (int $carry) 0 }}{{ $next = append $next $carry }}{{ end }}
{{- $digits = $next }}
{{- end }}
{{- $zeros := div (len (regexFind "^(00)*" .)) 2 | int }}
{{- repeat $zeros "1" }}
{{- range $digit := reverse $digits }}{{ substr (int $digit) (add1 $digit | int) $alphabet }}{{ end }}
{{- end }}

{{/* The field `requestSigningPrivateKey`, or nothing. */}}
{{- define "mesh-platform.signing-key" -}}
{{- with .Values.restate.requestSigning }}
{{- if .secretProvider }}
requestSigningPrivateKey:
  version: v1
  secretProvider:
    {{- toYaml .secretProvider | nindent 4 }}
{{- else if or .existingSecret (include "mesh-platform.creates-key" $) }}
requestSigningPrivateKey:
  version: v1
  secret:
    secretName: {{ default (include "mesh-platform.signing-name" $) .existingSecret }}
    key: {{ .key }}
{{- end }}
{{- end }}
{{- end }}
