#!/usr/bin/env bash
# Checks the workflows with actionlint and the scripts of this folder with shellcheck. It needs Go and shellcheck.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

ACTIONLINT=1.7.12

shellcheck --external-sources .ci/run scripts/ci/*.sh
go run "github.com/rhysd/actionlint/cmd/actionlint@v$ACTIONLINT" -color
