#!/usr/bin/env bash
# Signs with cosign, without a key: the workflow's identity stands in the certificate. It takes any number of arguments:
# a .txt file names images or charts by digest, one a line; every other file is signed as it is, into FILE.sigstore.json.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

test $# -gt 0 || fail "Say what to sign."
for each in "$@"; do
  test -s "$each" || fail "$each is not there, or is empty."
  if [[ $each == *.txt ]]; then
    while read -r reference; do
      # Without a stdin of its own it would read the rest of the list.
      cosign sign --yes "$reference" < /dev/null
    done < "$each"
  else
    cosign sign-blob --yes --bundle "$each.sigstore.json" "$each"
  fi
done
