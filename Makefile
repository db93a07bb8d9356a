# Everything runs in .venv, which the first command makes. What each command installs is noted by a stamp below .venv/.
.DEFAULT_GOAL := help
.PHONY: help demo test check bench docs format clean
SHELL := bash
.DELETE_ON_ERROR:

BIN := .venv/bin
PIP := $(BIN)/python -m pip install -qq --disable-pip-version-check
WORKERS ?= 2

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/demo.stamp $(if $(findstring postgres,$(ARGS)),.venv/postgres.stamp) ## Show the main job in half a minute (ARGS="--postgres", "--help")
	@$(BIN)/sidework demo $(ARGS)

test: .venv/test.stamp ## Run the whole suite on PostgreSQL, MariaDB and SQLite (ARGS="-k claim -n0" goes to pytest)
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)

check: .venv/check.stamp ## Format, lint, types, import rules, shape, spelling and documentation
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/python scripts/check_shape.py
	$(BIN)/codespell
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/mypy
	$(BIN)/pyright --warnings
	$(BIN)/zensical build --strict --clean

bench: .venv/test.stamp ## Measure throughput and latency (ARGS="--help" for more)
	@$(BIN)/python -m benchmarks $(ARGS)

docs: .venv/check.stamp ## Show the documentation at http://localhost:8000
	$(BIN)/zensical serve

format: .venv/check.stamp ## Put the code into the house's format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean: ## Remove what the commands made
	rm -rf .venv site .cache .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.venv/made.stamp: scripts/make-venv
	@echo "Setting up .venv ..."
	@scripts/make-venv
	@touch $@

.venv/demo.stamp: .venv/made.stamp pyproject.toml
	@$(PIP) --editable '.[cli]'
	@touch $@

.venv/postgres.stamp: .venv/demo.stamp
	@$(PIP) --editable '.[cli,demo,postgres]'
	@touch $@

.venv/test.stamp: .venv/made.stamp pyproject.toml scripts/setup-system
	@echo "Installing what the tests need ..."
	@scripts/setup-system
	@$(PIP) --editable . --group test
	@touch $@

.venv/check.stamp: .venv/test.stamp
	@echo "Installing what the checks need ..."
	@$(PIP) --group lint --group docs
	@touch $@
