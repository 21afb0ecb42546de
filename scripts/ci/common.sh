# shellcheck shell=bash
# Functions that the scripts of this folder share. They source this file; it is not a command.
set -euo pipefail

# Change to the project's folder, wherever the script was started.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Folder for a release's files.
DIST=${DIST:-dist}

fail() {
  echo "$*" >&2
  exit 1
}

# Print the project's version.
project_version() {
  sed -n 's/^VERSION = "\(.*\)"$/\1/p' switchboard/version.py
}

# Print every service that has an image: those of mesh.toml, and the framework's own two.
service_names() {
  python3 -c 'from pathlib import Path; from scripts.image_tree import services; print(*services(Path.cwd()), sep="\n")'
}

# Print the name of a service's image. Arguments: the service and the tag.
image_of() {
  echo "${IMAGE_REGISTRY:+$IMAGE_REGISTRY/}switchboard-${1//_/-}:$2"
}

# Fail unless a registry to push to is set. The project has none of its own.
needs_registry() {
  test -n "${IMAGE_REGISTRY:-}" || fail "IMAGE_REGISTRY is not set. Set it to a registry, such as registry.example.org/switchboard."
}

# Install the helm version that scripts/tools.toml pins, unless HELM names a program.
install_helm() {
  if test -z "${HELM:-}"; then
    python3 -m scripts.tools helm
    export HELM=$PWD/.tools/bin/helm
  fi
}
