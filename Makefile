# Everything a person does with this project. `make help` lists it.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := .tools/uv/bin/uv
# The tests on real servers wait more than they work.
TEST_PROCESSES ?= 3

help: ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(VENV)/.synced node_modules/.synced ## a virtual environment and the pinned Restate binaries

demo: setup ## start a mesh, play the conversations of the README, end
	@$(BIN)/switchboard demo

up: setup ## start a mesh and keep it in the foreground
	@$(BIN)/switchboard up

test: setup ## all tests, on a real Restate server that they start themselves
	@$(BIN)/python -m scripts.tools || echo "The tests that need these programs are skipped."
	@$(BIN)/pytest --numprocesses $(TEST_PROCESSES) --dist loadscope

tools: setup ## bring the OpenTelemetry collector, Jaeger, helm and promtool into .tools/bin
	@$(BIN)/python -m scripts.tools

evals: setup ## conversations with a known end; with TAU_AIRLINE_DIR set, the reference's tasks and recordings as well
	@$(BIN)/python -m evals.cases
ifdef TAU_AIRLINE_DIR
	@$(BIN)/python -m evals.reference --data $(TAU_AIRLINE_DIR) --tasks $(TAU_AIRLINE_DIR)/tasks.json
	@$(BIN)/python -m evals.recorded --data $(TAU_AIRLINE_DIR) --recordings $(TAU_AIRLINE_DIR)/recorded.json
else
	@echo "TAU_AIRLINE_DIR names no reference data, so no reference tasks and recordings were played; see docs/build/evals.md."
endif

bench: setup .tools/venv-bench/.synced ## measure beside the peers, write docs/operate/performance.md
	@$(BIN)/python -m bench

check: setup docs ## format, lint, types, architecture rules, workflows' calls, docs
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > .lint-imports.log || { cat .lint-imports.log; exit 1; }
	@$(BIN)/deptry . > .deptry.log 2>&1 || { cat .deptry.log; exit 1; }
	@$(BIN)/pytest tests/test_architecture.py tests/scripts/test_workflows.py tests/docs

docs: .tools/venv-docs/.synced ## build the documentation site into site/
	@NO_MKDOCS_2_WARNING=1 .tools/venv-docs/bin/mkdocs build --strict --quiet

format: setup ## mend what ruff can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

pins: $(UV) ## renew the exact versions and hashes in requirements/
	@$(COMPILE) requirements/bootstrap.in -o requirements/bootstrap.txt
	@$(COMPILE) pyproject.toml --extra demo --extra gateway --extra cli -o requirements/all.txt
	@$(COMPILE) pyproject.toml --extra demo --extra gateway --extra cli --extra evals --extra dev -c requirements/all.txt \
	  -o requirements/dev.txt
	@$(COMPILE) pyproject.toml --extra demo --extra cli --extra bench -c requirements/all.txt \
	  -o requirements/bench.txt
	@$(COMPILE) --group docs -o requirements/docs.txt
	@$(COMPILE) pyproject.toml -c requirements/all.txt -o requirements/services.txt
	@$(COMPILE) pyproject.toml --extra gateway -c requirements/all.txt -o requirements/gateway.txt
	@$(COMPILE) pyproject.toml --extra demo -c requirements/all.txt -o requirements/demo_model.txt
	@$(COMPILE) pyproject.toml --extra live -c requirements/all.txt -o requirements/live.txt

dates: setup ## the demo, the cases and some tests on other days than today; needs faketime
	@$(BIN)/python -m scripts.dates

charts: setup ## write the tables of values in the charts' READMEs
	@$(BIN)/python -m scripts.chart_readme

golden: setup ## renew what the charts render, for the tests to compare with; read the difference
	@$(BIN)/python -m tests.charts.golden

clean: ## remove what the commands above have made
	@rm -rf $(VENV) .tools node_modules .switchboard .mypy_cache .ruff_cache .pytest_cache site

COMPILE = $(UV) pip compile --quiet --universal --generate-hashes --no-header --python-version 3.11

$(UV): requirements/bootstrap.txt
	@command -v $(PYTHON) > /dev/null || { echo "Python 3.11 or newer is needed; name it with PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "$(PYTHON) is $$($(PYTHON) -V); Python 3.11 or newer is needed, name it with PYTHON=..."; exit 1; }
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
	@command -v npm > /dev/null || { echo "npm is needed: it brings the Restate server (Node 20 or newer)."; exit 1; }
	@npm ci --loglevel=error --no-audit --no-fund > /dev/null \
	  || { echo "npm could not get the Restate server: is its registry reachable? See the lines above."; exit 1; }
	@touch $@

.PHONY: help setup demo up test tools evals bench check docs format pins dates charts golden clean
