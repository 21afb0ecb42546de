# shellcheck shell=bash
# What the scripts of this folder share. They source it; it is no command of its own.
set -euo pipefail

# The project's folder, whatever folder the script was started in.
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# Where a release puts what it has made.
DIST=${DIST:-dist}

fail() {
  echo "$*" >&2
  exit 1
}

# The version of the project, as pyproject.toml has it.
project_version() {
  python3 -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])'
}

# Every service that has an image: those of mesh.toml, and the framework's own two.
service_names() {
  python3 -c 'from pathlib import Path; from scripts.image_tree import services; print(*services(Path.cwd()), sep="\n")'
}

# The name of a service's image; the first argument is the service, the second the tag.
image_of() {
  echo "${IMAGE_REGISTRY:+$IMAGE_REGISTRY/}switchboard-${1//_/-}:$2"
}

# The name of the registry to push to. The project has none of its own.
needs_registry() {
  test -n "${IMAGE_REGISTRY:-}" || fail "IMAGE_REGISTRY has to name a registry, such as registry.example.org/switchboard."
}

# A helm of the version that scripts/tools.toml pins.
bring_helm() {
  python3 -m scripts.tools helm
  export HELM=$PWD/.tools/bin/helm
}
