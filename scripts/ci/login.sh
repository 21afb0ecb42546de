#!/usr/bin/env bash
# Signs in at the registry of IMAGE_REGISTRY, for docker, cosign and helm, as REGISTRY_USER with REGISTRY_PASSWORD.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

needs_registry
host=${IMAGE_REGISTRY%%/*}
: "${REGISTRY_USER:?}" "${REGISTRY_PASSWORD:?}"
bring_helm
# The password goes through stdin, so that no list of processes shows it. cosign reads what docker writes.
printf %s "$REGISTRY_PASSWORD" | docker login "$host" --username "$REGISTRY_USER" --password-stdin
printf %s "$REGISTRY_PASSWORD" | "$HELM" registry login "$host" --username "$REGISTRY_USER" --password-stdin
