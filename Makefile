# Shifu: `make demo` shows the simulated City Hall; `make test` installs what the tests need and runs everything.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
WEB := dashboards/control_room
# Tests run side by side, each file on one worker; most of them wait for sockets.
WORKERS ?= 2
# InfluxDB, Mosquitto and Chromium for the tests; each can be given as INFLUXD, MOSQUITTO, CHROMIUM.
SERVICES := eval "$$(tests/services/setup.sh env)"

.PHONY: help demo demo-reset install web dev services test lint format web-check bench soak lock clean

help:
	@grep -E '^## ' Makefile | sed 's/^## /  /'

## make demo         the simulated City Hall and the controller, on a printed address
demo: web
	@$(BIN)/shifu demo

## make demo-reset   forget the demo's data, keys and passwords
demo-reset: install
	@$(BIN)/shifu demo --reset

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Shifu needs Python 3.11 or newer; this is %d.%d. Set PYTHON=/path/to/python3.11." % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@echo "[install] making $(VENV)"
	@$(PYTHON) -m venv $(VENV)

# The lock files fix every version; the project itself is installed editable, which builds the control room once.
$(VENV)/.installed: requirements.lock pyproject.toml $(BIN)/python $(WEB)/package-lock.json
	@echo "[install] Python packages of requirements.lock"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@echo "[install] Shifu and its control room (about half a minute)"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "[install] Python packages of requirements-dev.lock"
	@$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@touch $@

install: $(VENV)/.installed

# Builds the pages again when their sources have changed since the installation; else it does nothing.
web: install
	@$(BIN)/python $(WEB)/build.py

dev: $(VENV)/.installed-dev

services:
	@tests/services/setup.sh

## make test         lint, types, architecture, web checks and every test
test: services dev web lint web-check
	@$(SERVICES) && $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

## make lint         ruff, import-linter, mypy, codespell
lint: dev
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports
	@$(BIN)/mypy
	@$(BIN)/codespell controller drivers simulators config docs tests benchmarks README.md CHANGELOG.md CONTRIBUTING.md

format: dev
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

# svelte-check and vitest run with the Node that comes as a Python package: no Node on the machine is needed.
web-check: dev
	@$(BIN)/python $(WEB)/build.py check

## make bench        the benchmarks, each printing a table
bench: dev services
	@$(SERVICES) && for file in benchmarks/*.py; do echo; echo "== $$file"; $(BIN)/python $$file || exit 1; done

## make soak         two hours (SOAK_MINUTES) of faults, people and commands; not part of the gate
soak: dev web
	@$(BIN)/python -m pytest tests/soak -s

lock: $(BIN)/python
	@$(BIN)/python -m pip install -q uv
	@$(BIN)/uv pip compile pyproject.toml --extra demo --group build -q --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-header -o requirements.lock
	@$(BIN)/uv pip compile pyproject.toml --extra demo --group dev -q --universal --python-version 3.11 --no-emit-index-url --generate-hashes --no-header -c requirements.lock -o requirements-dev.lock

clean:
	@rm -rf $(VENV) $(WEB)/node_modules $(WEB)/dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
