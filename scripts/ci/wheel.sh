#!/usr/bin/env bash
# Build the wheel into dist/. With SBOM=1, also write an SBOM of the wheel and the packages pinned in requirements/all.txt.
# That needs syft.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

make .venv/.synced
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
.venv/bin/python -m hatchling build --target wheel --directory "$DIST"
wheel=$(echo "$DIST"/switchboard_mesh-"$(project_version)"-*.whl)
test -f "$wheel" || fail "$DIST has no wheel of version $(project_version)."

if test "${SBOM:-0}" = 1; then
  environment=$(mktemp -d)
  trap 'rm -rf "$environment"' EXIT
  uv=.tools/uv/bin/uv
  "$uv" venv --quiet --python .venv/bin/python "$environment/venv"
  "$uv" pip sync --quiet --python "$environment/venv/bin/python" --require-hashes requirements/all.txt
  "$uv" pip install --quiet --python "$environment/venv/bin/python" --no-deps "$wheel"
  syft scan "dir:$environment/venv" --source-name switchboard-mesh --source-version "$(project_version)" \
    --output "spdx-json=${wheel%.whl}.spdx.json"
fi
