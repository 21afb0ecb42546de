#!/usr/bin/env bash
# Check the workflows with actionlint and the scripts of this folder with shellcheck. Needs shellcheck, and Go or a network
# to install the actionlint version that scripts/tools.toml pins.
set -euo pipefail
# shellcheck source=scripts/ci/common.sh
source "$(dirname "$0")/common.sh"

python3 -m scripts.tools actionlint
shellcheck --external-sources .ci/run scripts/ci/*.sh
.tools/bin/actionlint -color
