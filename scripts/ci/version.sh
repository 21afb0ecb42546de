#!/usr/bin/env bash
# Check that a release's tag is `v` plus the version in switchboard/version.py, the charts and a heading of CHANGELOG.md.
# `version.sh v0.2.0` checks; `version.sh v0.2.0 notes` checks, then prints that section of the changelog.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

tag=${1:?the tag, such as v0.2.0}
version=${tag#v}
test "$tag" = "v$version" || fail "The tag $tag must begin with v."
test "$version" = "$(project_version)" || fail "The tag is $tag, but switchboard/version.py has version $(project_version)."
for chart in deploy/helm/*/Chart.yaml; do
  grep -qx "version: $version" "$chart" || fail "$chart must contain: version: $version"
done
# The mesh's images have the chart's appVersion as tag. The other two charts run third-party images.
grep -qx "appVersion: $version" deploy/helm/agent-mesh/Chart.yaml \
  || fail "deploy/helm/agent-mesh/Chart.yaml must contain: appVersion: $version"
notes=$(awk -v heading="## $version" '
  /^## / { inside = ($0 == heading || index($0, heading " ") == 1); next }
  inside { print }
' CHANGELOG.md)
test -n "$notes" || fail "CHANGELOG.md has no text under the heading: ## $version"

if test "${2:-}" = notes; then
  echo "$notes"
fi
