#!/usr/bin/env bash
# Package the three charts into dist/charts. With PUSH=1, push them to IMAGE_REGISTRY/charts and write their names with
# digests into dist/charts.txt.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

install_helm
mkdir -p "$DIST/charts"
for chart in deploy/helm/*/; do
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
