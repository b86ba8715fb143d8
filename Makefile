# Every target creates what it needs: the virtual environment (.venv) and, if it runs Pulumi, an engine.
.DEFAULT_GOAL := help
.PHONY: help demo shell emulator wheel test test-live walks thorough mutate bench docs screenshots lint format engine
READY := .venv/.ready
BIN := .venv/bin
PYTHON := $(BIN)/python
BAD_INPUT := tests/bad_input tests/unit/test_inputs.py tests/host/test_bad_input.py

help: ## list the targets
	@awk -F ' *## *' '/^[a-z-]+:.*##/ { sub(/:.*/, "", $$1); printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## create, resize and destroy a server on an emulated cloud, in about two minutes the first time
	@$(PYTHON) -m tools.demo

shell: $(READY) ## open a shell with Pulumi, an emulated cloud and a stack
	@$(PYTHON) -m tools.shell

emulator: $(READY) ## run the emulated cloud until Ctrl-C
	@$(PYTHON) -m ecs_pulumi.emulator

wheel: ## build the wheel in dist/, and print how to install it
	@$(or $(wildcard $(PYTHON)),python3) tools/wheel.py

test: lint engine ## run the linters, then every test that needs no cloud
	@$(PYTHON) -m pytest -n 3 $(PYTEST)

test-live: engine ## run the lifecycle tests on the cloud of OS_CLOUD
	@$(PYTHON) -m pytest -m live $(PYTEST)

walks: engine ## run thousands of random programs, hundreds with the engine, and kills, in some hours
	@WALKS_FIRST=1000 WALKS_SEEDS=2000 WALKS_DRAWN=500 WALKS_REAL=300 WALKS_EDITS=5 WALKS_KILLS=50 $(PYTHON) -m pytest -n 2 tests/walks $(PYTEST)

thorough: engine ## run every cell of the fault matrix, and 30 times as much bad input, which `make test` samples
	@FAULTS_ALL=1 $(PYTHON) -m pytest -n 2 tests/faults $(PYTEST)
	@EXAMPLES=30 $(PYTHON) -m pytest -n 2 $(BAD_INPUT) $(PYTEST)

mutate: $(READY) ## change the provider in small ways and check that tests fail (MUTATE="MODULE … --share 0.1")
	@$(PYTHON) -m tools.mutate $(MUTATE)

bench: engine ## measure the cost of every operation (BENCH="--cloud NAME" for a real cloud)
	@$(PYTHON) -m tools.bench $(BENCH)

docs: $(READY) ## build the documentation as a site with search, in site/
	@$(PYTHON) -m sphinx -q -W --keep-going -d .venv/doctrees docs site
	@echo "Docs: open site/index.html"

screenshots: engine ## take the pictures of docs/images; requires tmux and Chromium
	@$(PYTHON) -m tools.screenshots

lint: $(READY) ## run ruff, mypy and import-linter, and check the generated classes
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/mypy --no-error-summary
	@$(PYTHON) -m tools.sdk --check
	@output=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$output"; exit 1; }
	@echo "Lint: no findings"

format: $(READY) ## fix formatting and lint findings with ruff
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

engine: $(READY)
	@$(PYTHON) tools/engine/engine.py >/dev/null

$(READY): pyproject.toml tools/venv.py
	@python3 tools/venv.py
