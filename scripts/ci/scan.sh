#!/usr/bin/env bash
# Scan for known vulnerabilities with osv-scanner, pip-audit and npm audit, and images for files that change the user. Needs
# Go, Python, npm, docker for images, and a network for the advisories.
#   scripts/ci/scan.sh dependencies   the Python packages in requirements/ and the npm packages in package-lock.json
#   scripts/ci/scan.sh images         the images that scripts/ci/images.sh has built
#   TAG              tag of the images; default: the project's version
#   TOOLS_VENV       folder for pip-audit; default: .tools/venv-audit
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

# renovate: datasource=github-releases depName=google/osv-scanner
OSV_SCANNER=2.5.0
# renovate: datasource=pypi depName=pip-audit
PIP_AUDIT=2.10.1
TOOLS_VENV=${TOOLS_VENV:-.tools/venv-audit}

osv_scanner() {
  go run "github.com/google/osv-scanner/v2/cmd/osv-scanner@v$OSV_SCANNER" scan "$@"
}

# pip-audit has advisories of PyPI that osv-scanner may lack. The pins have hashes, so it installs nothing.
pip_audit() {
  python3 -m venv "$TOOLS_VENV"
  "$TOOLS_VENV/bin/pip" install --quiet --disable-pip-version-check "pip-audit==$PIP_AUDIT"
  local pins
  for pins in requirements/*.txt; do
    "$TOOLS_VENV/bin/pip-audit" --requirement "$pins" --require-hashes --disable-pip --progress-spinner off || failed=1
  done
}

# Print the files of an image that run as another user than their caller. The images drop all capabilities and forbid
# privilege escalation, so such a file is only of use to an attacker elsewhere.
setuid_files() {
  docker run --rm --user 0 --entrypoint find "$1" / -xdev -type f -perm /6000
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
    pip_audit
    npm audit --package-lock-only || failed=1
    ;;
  images)
    for service in $(service_names); do
      image=$(image_of "$service" "${TAG:-$(project_version)}")
      osv_scanner image "$image" || failed=1
      found=$(setuid_files "$image") || failed=1
      if test -n "$found"; then
        echo "$image has files with setuid or setgid: $found" >&2
        failed=1
      fi
    done
    ;;
  *) fail "Usage: scan.sh dependencies | images" ;;
esac
test $failed = 0 || fail "A scanner failed or found something; see above."
