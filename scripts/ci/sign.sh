#!/usr/bin/env bash
# Sign with cosign, without a key: the certificate contains the workflow's identity. Arguments are files. A .txt file lists
# images or charts by digest, one per line, which are signed; any other file gets its signature in FILE.sigstore.json.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

test $# -gt 0 || fail "Usage: sign.sh FILE..."
for each in "$@"; do
  test -s "$each" || fail "$each does not exist or is empty."
  if [[ $each == *.txt ]]; then
    while read -r reference; do
      # Without this redirection, cosign would read the rest of the list.
      cosign sign --yes "$reference" < /dev/null
    done < "$each"
  else
    cosign sign-blob --yes --bundle "$each.sigstore.json" "$each"
  fi
done
