# All development commands of this project. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .tools/uv/bin/uv
# More processes than cores, because tests on real servers mostly wait.
TEST_PROCESSES ?= 4
PYTEST = $(BIN)/pytest --numprocesses $(TEST_PROCESSES) --dist loadscope --no-loadscope-reorder

# Some machines forbid Python to keep compiled modules. Each of hundreds of processes would then compile all that it
# imports, which is nearly half of its start.
demo up test test-all evals check: export PYTHONDONTWRITEBYTECODE :=
demo up test test-all evals check: export PYTHONPYCACHEPREFIX := $(CURDIR)/.tools/pycache

help: ## list the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.synced node_modules/.synced ## create a virtual environment and install the pinned Restate binaries

demo: setup ## start a temporary mesh and play the demo conversations on it
	@$(BIN)/switchboard demo

up: setup ## run a mesh until Ctrl-C
	@$(BIN)/switchboard up

test: setup ## run the tests, each once; they start their own Restate server
	@$(BIN)/python -m scripts.tools || echo "Tests that need these programs will be skipped."
	@$(PYTEST)

test-all: setup ## run all tests, also those for nightly runs
	@$(BIN)/python -m scripts.tools || echo "Tests that need these programs will be skipped."
	@FORKS=0 $(PYTEST) -m ""

chaos: setup ## let customers work during random faults; CHAOS_RUNS=9 causes about a thousand, CHAOS_SEED repeats a run
	@CHAOS_RUNS=$${CHAOS_RUNS:-1} $(BIN)/pytest -m "" tests/chaos/test_random_faults.py --junitxml=chaos.xml

tools: setup ## install the OpenTelemetry collector, Jaeger, helm, promtool, Chromium, PostgreSQL and Redis into .tools/bin
	@$(BIN)/python -m scripts.tools

evals: setup ## run the evaluation cases; if TAU_AIRLINE_DIR is set, also the reference tasks and recordings
	@$(BIN)/python -m evals.cases
ifdef TAU_AIRLINE_DIR
	@$(BIN)/python -m evals.reference --data $(TAU_AIRLINE_DIR) --tasks $(TAU_AIRLINE_DIR)/tasks.json
	@$(BIN)/python -m evals.recorded --data $(TAU_AIRLINE_DIR) --recordings $(TAU_AIRLINE_DIR)/recorded.json
else
	@echo "TAU_AIRLINE_DIR is not set, so the reference tasks and recordings were skipped. See docs/build/evals.md."
endif

bench: setup .tools/venv-bench/.synced ## benchmark against the peers and write docs/operate/performance.md
	@$(BIN)/python -m scripts.tools postgres temporal otelcol || echo "What needs these programs will be skipped."
	@$(BIN)/python -m bench --traced

check: setup docs ## check formatting, lint, types, architecture rules, workflows and docs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > .lint-imports.log || { cat .lint-imports.log; exit 1; }
	@$(BIN)/deptry . > .deptry.log 2>&1 || { cat .deptry.log; exit 1; }
	@$(BIN)/pytest tests/test_architecture.py tests/scripts/test_workflows.py tests/docs

docs: .tools/venv-docs/.synced ## build the documentation site into site/
	@NO_MKDOCS_2_WARNING=1 .tools/venv-docs/bin/mkdocs build --strict --quiet

format: setup ## format the code and apply ruff's fixes
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

pins: $(UV) ## update the pinned versions and hashes in requirements/
	@$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(COMPILE) pyproject.toml --extra demo --extra gateway --extra cli --extra mcp --extra a2a --extra postgres --extra redis \
	  --group bank --group tools \
	  -o requirements/all.txt
	@$(COMPILE) pyproject.toml --extra demo --extra gateway --extra cli --extra mcp --extra a2a --extra postgres --extra redis \
	  --extra evals --extra dev --group bank --group tools \
	  -c requirements/all.txt -o requirements/dev.txt
	@$(COMPILE) pyproject.toml --extra demo --extra cli --extra bench -c requirements/all.txt \
	  -o requirements/bench.txt
	@$(COMPILE) --group docs -o requirements/docs.txt
	@$(COMPILE) pyproject.toml --extra redis -c requirements/all.txt -o requirements/services.txt
	@$(COMPILE) pyproject.toml --extra gateway --extra mcp --extra a2a --extra redis -c requirements/all.txt \
	  -o requirements/gateway.txt
	@$(COMPILE) pyproject.toml --extra demo --extra redis -c requirements/all.txt -o requirements/demo_model.txt
	@$(COMPILE) pyproject.toml --extra redis --group bank -c requirements/all.txt -o requirements/bank.txt
	@$(COMPILE) pyproject.toml --extra mcp --extra redis --group tools -c requirements/all.txt -o requirements/tools.txt
	@$(COMPILE) pyproject.toml --extra live -c requirements/all.txt -o requirements/live.txt

dates: setup ## play the demo and the cases on other dates, and run date-dependent tests on some
	@$(BIN)/python -m scripts.dates

charts: setup ## generate the tables of values in the charts' READMEs
	@$(BIN)/python -m scripts.chart_readme

reference: setup ## generate docs/reference/cli.md and the table of providers
	@$(BIN)/python -m scripts.cli_reference
	@$(BIN)/python -m scripts.provider_table

golden: setup ## update the golden files of the charts' tests; review the diff
	@$(BIN)/python -m tests.charts.golden

clean: ## remove everything that these commands created
	@rm -rf $(VENV) .tools node_modules .switchboard .mypy_cache .ruff_cache .pytest_cache site

COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11

$(UV): requirements/bootstrap.txt
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) was not found. Install Python 3.11 or newer, or set PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is $$($(PYTHON) -V), but 3.11 or newer is required. Set PYTHON=..."; exit 1; }
	@$(PYTHON) -m venv .tools/uv
	@.tools/uv/bin/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bootstrap.txt
	@touch $@

$(VENV)/.synced: $(UV) requirements/dev.txt pyproject.toml
	@test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

.tools/venv-bench/.synced: $(UV) requirements/bench.txt
	@test -x .tools/venv-bench/bin/python || $(UV) venv --quiet --python $(PYTHON) .tools/venv-bench
	@$(UV) pip sync --quiet --python .tools/venv-bench/bin/python --require-hashes requirements/bench.txt
	@touch $@

.tools/venv-docs/.synced: $(UV) requirements/docs.txt
	@test -x .tools/venv-docs/bin/python || $(UV) venv --quiet --python $(PYTHON) .tools/venv-docs
	@$(UV) pip sync --quiet --python .tools/venv-docs/bin/python --require-hashes requirements/docs.txt
	@touch $@

node_modules/.synced: package-lock.json
	@command -v npm > /dev/null || { echo "npm was not found. Install Node 20 or newer: npm installs the Restate server."; exit 1; }
	@npm ci --loglevel=error --no-audit --no-fund > /dev/null \
	  || { echo "npm could not install the Restate server (see above). Is the npm registry reachable?"; exit 1; }
	@touch $@

.PHONY: help setup demo up test test-all chaos tools evals bench check docs format pins dates charts reference golden clean
