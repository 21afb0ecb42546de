#!/usr/bin/env bash
# Packages the three charts into dist/charts. With PUSH=1 it pushes them to IMAGE_REGISTRY/charts and writes their names
# with digests into dist/charts.txt.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

bring_helm
mkdir -p "$DIST/charts"
for chart in deploy/helm/*/; do
  "$HELM" dependency build "$chart"
  "$HELM" package "$chart" --destination "$DIST/charts"
done

if test "${PUSH:-0}" = 1; then
  needs_registry
  : > "$DIST/charts.txt"
  for package in "$DIST"/charts/*.tgz; do
    # helm says what it has pushed on stderr: "Pushed: NAME:VERSION" and "Digest: sha256:…".
    said=$("$HELM" push "$package" "oci://$IMAGE_REGISTRY/charts" 2>&1) || fail "$said"
    echo "$said"
    pushed=$(sed -n 's/^Pushed: //p' <<< "$said")
    digest=$(sed -n 's/^Digest: //p' <<< "$said")
    if test -z "$pushed" || test -z "$digest"; then
      fail "helm does not say what it has pushed."
    fi
    echo "${pushed%:*}@$digest" >> "$DIST/charts.txt"
  done
fi
