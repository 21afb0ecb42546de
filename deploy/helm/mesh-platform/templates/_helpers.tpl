{{/* Labels for objects other than the RestateCluster, whose labels are copied to Restate's pods. */}}
{{- define "mesh-platform.labels" -}}
app.kubernetes.io/part-of: switchboard
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* Labels of the RestateCluster and of its namespace. The operator copies the RestateCluster's to Restate's pods. */}}
{{- define "mesh-platform.restate-labels" -}}
app.kubernetes.io/part-of: switchboard
# The pods of the pinned operator have no `runAsNonRoot`, so the level `restricted` rejects them.
pod-security.kubernetes.io/enforce: baseline
{{- end }}

{{/* Annotations of a hook that creates an object which outlives the release. */}}
{{- define "mesh-platform.created-once" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: hook-failed
helm.sh/resource-policy: keep
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

{{/* repository@digest, or repository:tag if there is no digest. `global.imageRegistry` replaces the repository's registry. */}}
{{- define "mesh-platform.restate-image" -}}
{{- $repository := .Values.restate.image.repository }}
{{- with (.Values.global).imageRegistry }}
{{- $repository = printf "%s/%s" . (regexReplaceAll "^(localhost|[^/]*[.:][^/]*)/" $repository "") }}
{{- end }}
{{- with .Values.restate.image }}
{{- if .digest }}{{ $repository }}@{{ .digest }}{{ else }}{{ $repository }}:{{ .tag }}{{ end }}
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
{{- if and .metadata.path (ne .metadata.type "object-store") }}
{{- fail "restate.metadata.path is set, but restate.metadata.type is `replicated`, so the metadata would be stored on the nodes. Set restate.metadata.type=object-store" }}
{{- end }}
{{- if not (or .snapshots.destination (eq .metadata.type "object-store")) }}
{{- range $value := list "region" "endpoint" "allowHttp" "existingSecret" }}
{{- if get $.Values.restate.s3 $value }}
{{- fail (printf "restate.s3.%s is set, but nothing would be stored on S3. Set restate.snapshots.destination (s3://bucket/path)" $value) }}
{{- end }}
{{- end }}
{{- end }}
{{- if and .requestSigning.existingSecret .requestSigning.secretProvider }}
{{- fail "restate.requestSigning: set existingSecret or secretProvider, not both" }}
{{- end }}
{{- end }}
{{- include "mesh-platform.missing-partners" . }}
{{- include "mesh-platform.production" . }}
{{- if and (include "mesh-platform.creates-key" .) (not (include "mesh-platform.has-cluster" .)) }}
{{- fail "restate.requestSigning: there is no cluster to look for an existing key, so each render would create another one. Create the Secret yourself and set restate.requestSigning.existingSecret (docs/operate/security.md), or set restate.requestSigning.create=false" }}
{{- end }}
{{- end }}

{{/* Values that have no effect without another component, and no error message either: the operator only logs it. */}}
{{- define "mesh-platform.missing-partners" -}}
{{- with .Values.restate }}
{{- if and .requestSigning.secretProvider (not ($.Capabilities.APIVersions.Has "secrets-store.csi.x-k8s.io/v1/SecretProviderClass")) }}
{{- fail "restate.requestSigning.secretProvider needs the Secrets Store CSI driver: the cluster does not know the kind SecretProviderClass. Restate would sign nothing" }}
{{- end }}
{{- if and .awsPodSecurityGroups (not ($.Capabilities.APIVersions.Has "vpcresources.k8s.aws/v1beta1/SecurityGroupPolicy")) }}
{{- fail "restate.awsPodSecurityGroups needs EKS' VPC resource controller: the cluster does not know the kind SecurityGroupPolicy. Restate's pods would not be in these groups" }}
{{- end }}
{{- if .awsPodIdentityRoleArn }}
{{- if not ($.Capabilities.APIVersions.Has "eks.services.k8s.aws/v1alpha1/PodIdentityAssociation") }}
{{- fail "restate.awsPodIdentityRoleArn needs AWS' ACK controller for EKS: the cluster does not know the kind PodIdentityAssociation. Restate would get no credentials and take no snapshots. Install the controller, or use restate.serviceAccountAnnotations or restate.s3.existingSecret" }}
{{- end }}
{{- $operator := lookup "apps/v1" "Deployment" .operatorNamespace "restate-operator" }}
{{- if and $operator (not (contains "\"AWS_POD_IDENTITY_ASSOCIATION_CLUSTER\"" (toJson $operator))) }}
{{- fail (printf "restate.awsPodIdentityRoleArn: the operator in the namespace %s does not know the name of the EKS cluster, so Restate would get no credentials and take no snapshots. Set mesh-operator's restate-operator-helm.awsPodIdentityAssociationCluster first" .operatorNamespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* With `production: true`, the chart refuses values that are not fit for customers, all in one message. */}}
{{- define "mesh-platform.production" -}}
{{- if .Values.production }}
{{- $missing := list }}
{{- with .Values.restate }}
{{- if .enabled }}
{{- if not (include "mesh-platform.signing-key" $ | trim) }}
{{- $missing = append $missing "restate.requestSigning has no key: services could not tell Restate from another caller. Set create, existingSecret or secretProvider" }}
{{- end }}
{{- if not .snapshots.destination }}
{{- $missing = append $missing "restate.snapshots.destination is empty: a lost disk could not be restored" }}
{{- end }}
{{- if .disableNetworkPolicies }}
{{- $missing = append $missing "restate.disableNetworkPolicies is true: any pod in the cluster could act as any customer" }}
{{- end }}
{{- if not .image.digest }}
{{- $missing = append $missing "restate.image.digest is empty" }}
{{- end }}
{{- end }}
{{- end }}
{{- if and (index .Values "opentelemetry-collector").enabled (not (index .Values "opentelemetry-collector").image.digest) }}
{{- $missing = append $missing "opentelemetry-collector.image.digest is empty" }}
{{- end }}
{{- if and .Values.jaeger.enabled (not .Values.jaeger.jaeger.image.digest) }}
{{- $missing = append $missing "jaeger.jaeger.image.digest is empty" }}
{{- end }}
{{- if $missing }}
{{- fail (printf "\n\nThese values are not fit for customers (production: true):\n- %s.\n`python -m scripts.images digests` writes the values for the digests." (join ".\n- " $missing)) }}
{{- end }}
{{- end }}
{{- end }}
