#!/usr/bin/env bash
# Package the three charts into dist/charts. With PUSH=1, push them to IMAGE_REGISTRY/charts and write their names with
# digests into dist/charts.txt.
#   scripts/ci/charts.sh [CHART...]   default: all
#   REPOSITORY_URL   address of this repository, which the charts name; default: that of the workflow's repository
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

REPOSITORY_URL=${REPOSITORY_URL:-${GITHUB_REPOSITORY:+${GITHUB_SERVER_URL:-https://github.com}/$GITHUB_REPOSITORY}}

# Print the lines of Chart.yaml that say where a chart comes from.
addresses() {
  if test -n "$REPOSITORY_URL"; then
    printf 'home: %s\nsources: [%s]\nicon: %s\n' \
      "$REPOSITORY_URL" "$REPOSITORY_URL" "$REPOSITORY_URL/raw/v$(project_version)/deploy/icon.svg"
  fi
}

install_helm
mkdir -p "$DIST/charts"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp -r deploy/helm/. "$work"
if test $# -eq 0; then
  set -- mesh-operator mesh-platform agent-mesh
fi
for name in "$@"; do
  chart=$work/$name
  addresses >> "$chart/Chart.yaml"
  "$HELM" dependency build "$chart"
  "$HELM" package "$chart" --destination "$DIST/charts"
done

if test "${PUSH:-0}" = 1; then
  needs_registry
  : > "$DIST/charts.txt"
  for package in "$DIST"/charts/*.tgz; do
    # helm prints what it pushed on stderr: "Pushed: NAME:VERSION" and "Digest: sha256:…".
    output=$("$HELM" push "$package" "oci://$IMAGE_REGISTRY/charts" 2>&1) || fail "$output"
    echo "$output"
    pushed=$(sed -n 's/^Pushed: //p' <<< "$output")
    digest=$(sed -n 's/^Digest: //p' <<< "$output")
    if test -z "$pushed" || test -z "$digest"; then
      fail "Cannot find the chart's name and digest in the output of helm push."
    fi
    echo "${pushed%:*}@$digest" >> "$DIST/charts.txt"
  done
fi
