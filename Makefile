# Every command sets up what it needs; only Python 3.11+, make and a package index are assumed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
.DEFAULT_GOAL := help
.PHONY: help demo up test check chaos bench package image

help:  ## Show these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.runtime: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Tipoff needs Python 3.11 or newer: make PYTHON=/path/to/python3")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@touch $@

$(VENV)/.dev: requirements-dev.txt $(VENV)/.runtime
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

$(VENV)/.bench: requirements-bench.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	@touch $@

demo: $(VENV)/.runtime  ## Forecasts for a simulated league with an honest measurement, then the dashboard
	@$(BIN)/tipoff demo $(ARGS)

up: $(VENV)/.runtime  ## Run continuously: poll, ingest, update, forecast
	@$(BIN)/tipoff up

test: $(VENV)/.dev  ## Run the tests against a real private Postgres; what measures time runs alone
	$(BIN)/python -m tipoff.forecast.warm
	$(BIN)/python -m pytest tests/chaos tests/browser
	$(BIN)/python -m pytest -n 2 --dist worksteal --ignore tests/chaos --ignore tests/browser

check: $(VENV)/.dev  ## Formatting, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

chaos: $(VENV)/.dev  ## Kill, freeze and starve it at full size (a quarter of an hour) and write bench/chaos.json
	TIPOFF_CHAOS=1 $(BIN)/python -m pytest -s --timeout 1800 tests/chaos tests/integration/test_job_states.py tests/integration/test_job_handlers.py tests/acceptance/test_wheel.py tests/integration/test_worker_compiles.py tests/acceptance/test_command_line.py
	$(BIN)/python -m bench.readme

bench: $(VENV)/.bench  ## Measure speed beside peers and write bench/results.json
	$(BIN)/python -m bench

package: $(VENV)/.dev  ## Build wheel and sdist in dist/
	$(BIN)/python -m hatchling build

image:  ## Build the container image tipoff:local (needs Docker or what stands in for it)
	docker build --tag tipoff:local .
