#!/usr/bin/env bash
# Checks that a tag is one of a release: `v` and the version of pyproject.toml, of the charts and of a heading in
# CHANGELOG.md. `version.sh v0.2.0` checks; `version.sh v0.2.0 notes` checks, then prints that section of the changelog.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

tag=${1:?the tag, such as v0.2.0}
version=${tag#v}
test "$tag" = "v$version" || fail "The tag $tag has to begin with v."
test "$version" = "$(project_version)" || fail "The tag is $tag, and pyproject.toml has version $(project_version)."
for chart in deploy/helm/*/Chart.yaml; do
  grep -qx "version: $version" "$chart" || fail "$chart has to say: version: $version"
done
# The mesh's images have the chart's appVersion for a tag. The other two charts run other people's images.
grep -qx "appVersion: $version" deploy/helm/agent-mesh/Chart.yaml \
  || fail "deploy/helm/agent-mesh/Chart.yaml has to say: appVersion: $version"
notes=$(awk -v heading="## $version" '
  /^## / { inside = ($0 == heading || index($0, heading " ") == 1); next }
  inside { print }
' CHANGELOG.md)
test -n "$notes" || fail "CHANGELOG.md has no text under the heading: ## $version"

if test "${2:-}" = notes; then
  echo "$notes"
fi
