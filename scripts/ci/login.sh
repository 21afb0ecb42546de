#!/usr/bin/env bash
# Log in to the registry of IMAGE_REGISTRY as REGISTRY_USER with REGISTRY_PASSWORD, for docker, cosign and helm.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

needs_registry
host=${IMAGE_REGISTRY%%/*}
: "${REGISTRY_USER:?}" "${REGISTRY_PASSWORD:?}"
install_helm
# Pass the password through stdin, so that the process list does not show it. cosign uses docker's login.
printf %s "$REGISTRY_PASSWORD" | docker login "$host" --username "$REGISTRY_USER" --password-stdin
printf %s "$REGISTRY_PASSWORD" | "$HELM" registry login "$host" --username "$REGISTRY_USER" --password-stdin
