# Every target makes what it needs: the virtual environment (.venv) and, for those that run Pulumi, an engine.
.DEFAULT_GOAL := help
.PHONY: help demo shell emulator test test-live walks bench docs screenshots lint format engine
READY := .venv/.ready
BIN := .venv/bin
PYTHON := $(BIN)/python

help: ## what can be made
	@awk -F ' *## *' '/^[a-z-]+:.*##/ { sub(/:.*/, "", $$1); printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(READY) ## a server made, resized and destroyed on an emulated cloud, in about a minute
	@$(PYTHON) -m tools.demo

shell: $(READY) ## a shell with Pulumi, an emulated cloud and a stack, to play in
	@$(PYTHON) -m tools.shell

emulator: $(READY) ## the emulated cloud alone, until Ctrl-C
	@$(PYTHON) -m ecs_pulumi.emulator

test: lint engine ## the linters, then every test that needs no cloud
	@$(PYTHON) -m pytest -n 3 $(PYTEST)

test-live: engine ## the lifecycle tests on the cloud of OS_CLOUD
	@$(PYTHON) -m pytest -m live $(PYTEST)

walks: engine ## more of the random programs and kills than `make test` has, in about an hour
	@WALKS_FIRST=1000 WALKS_SEEDS=300 WALKS_REAL=20 WALKS_EDITS=10 WALKS_KILLS=50 $(PYTHON) -m pytest -n 2 tests/walks $(PYTEST)

bench: engine ## what every operation costs, beside the floors (BENCH="--cloud NAME" for a real cloud)
	@$(PYTHON) -m tools.bench $(BENCH)

docs: $(READY) ## these pages as a site with search, in site/
	@$(PYTHON) -m sphinx -q -W --keep-going -d .venv/doctrees docs site
	@echo "Docs: open site/index.html"

screenshots: engine ## the pictures of docs/images; wants tmux and Chromium
	@$(PYTHON) -m tools.screenshots

lint: $(READY) ## ruff, mypy and the layers
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/mypy --no-error-summary
	@said=$$($(BIN)/lint-imports --no-logo 2>&1) || { echo "$$said"; exit 1; }
	@echo "Lint: ruff, mypy and the layers are content"

format: $(READY) ## let ruff put the files in order
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

engine: $(READY)
	@$(PYTHON) tools/engine/engine.py >/dev/null

$(READY): pyproject.toml tools/venv.py
	@python3 tools/venv.py
