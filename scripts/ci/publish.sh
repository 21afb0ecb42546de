#!/usr/bin/env bash
# Create a release on GitHub with the files in dist/: `publish.sh v0.2.0`. Needs gh and GH_TOKEN.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

tag=${1:?the tag, such as v0.2.0}
notes=$(mktemp)
trap 'rm -f "$notes"' EXIT
scripts/ci/version.sh "$tag" notes > "$notes"
mapfile -t files < <(find "$DIST" -type f | sort)
test ${#files[@]} -gt 0 || fail "$DIST has no files to publish."
gh release create "$tag" "${files[@]}" --verify-tag --title "$tag" --notes-file "$notes"
