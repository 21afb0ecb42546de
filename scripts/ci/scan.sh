#!/usr/bin/env bash
# Scan for known vulnerabilities with osv-scanner. Needs Go, and a network for the advisories of https://osv.dev.
#   scripts/ci/scan.sh dependencies   the Python packages in requirements/ and the npm packages in package-lock.json
#   scripts/ci/scan.sh images         the images that scripts/ci/images.sh has built
#   TAG              tag of the images; default: the project's version
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

OSV_SCANNER=2.5.0

osv_scanner() {
  go run "github.com/google/osv-scanner/v2/cmd/osv-scanner@v$OSV_SCANNER" scan "$@"
}

# Scan everything before failing, so that one run reports all findings.
failed=0
case ${1:-} in
  dependencies)
    lockfiles=(--lockfile package-lock.json)
    for pins in requirements/*.txt; do
      lockfiles+=(--lockfile "requirements.txt:$pins")
    done
    osv_scanner source "${lockfiles[@]}" || failed=1
    ;;
  images)
    for service in $(service_names); do
      osv_scanner image "$(image_of "$service" "${TAG:-$(project_version)}")" || failed=1
    done
    ;;
  *) fail "Usage: scan.sh dependencies | images" ;;
esac
test $failed = 0 || fail "osv-scanner failed or found vulnerabilities; see above."
