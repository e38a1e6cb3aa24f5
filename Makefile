# Every target does its own set-up. Needs: Debian 12 or newer, root or sudo, make.

SHELL := /bin/bash
VENV := .venv
PEERS := .venv-peers
PYTHON := $(VENV)/bin/python
COUNTS := HOLDFAST_CRASH_SEED,HOLDFAST_CRASH_EVERY_STEP,HOLDFAST_CRASH_MOMENTS,HOLDFAST_CRASH_POWER_CUTS,HOLDFAST_CRASH_LIVES
AS_ROOT := $(if $(filter 0,$(shell id -u)),,sudo --preserve-env=$(COUNTS))
CACHES := .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .demo
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup test torture test-fast demo bench lint format docs lock-requirements clean

help:
	@echo 'make demo               build, boot and query an example system'
	@echo 'make test               everything: linters, types, unit tests, real boots'
	@echo 'make torture            kills at every step, power cuts and lives by the hundred; an hour'
	@echo 'make test-fast          what needs neither root nor network, in seconds'
	@echo 'make bench              ours beside the peers, in one run'
	@echo 'make lint | format      ruff, mypy, basedpyright, import-linter | ruff format'
	@echo 'make docs               write docs/reference/ from the code'
	@echo 'make lock-requirements  resolve requirements/*.in anew'
	@echo 'make setup | clean      .venv with everything | remove it and every cache'

setup: $(VENV)/.ready

# apt is asked only for what is missing; the stamp lives outside .venv, which may be rebuilt alone.
.stamps/system: scripts/install-system-packages
	scripts/install-system-packages
	@mkdir -p .stamps && touch $@

$(VENV)/.ready: .stamps/system requirements/dev.lock pyproject.toml
	test -x $(PYTHON) || /usr/bin/python3 -m venv $(VENV)
	$(PYTHON) -m pip install --quiet --require-hashes -r requirements/dev.lock
	$(PYTHON) -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

# Under sudo the caches are handed back, so that later runs as the same person can write them.
test: setup
	@status=0; $(AS_ROOT) $(VENV)/bin/pytest -n auto --dist worksteal $(TESTS) || status=$$?; \
	if [ -n '$(AS_ROOT)' ]; then for cache in $(CACHES); do [ ! -e $$cache ] || sudo chown -R "$$(id -u):$$(id -g)" $$cache; done; fi; \
	exit $$status

# Nothing but ends in the middle, for an hour: every step killed and cut off the power, 200 random moments of each, and 100 lives.
torture: export HOLDFAST_CRASH_EVERY_STEP ?= 1
torture: export HOLDFAST_CRASH_MOMENTS ?= 200
torture: export HOLDFAST_CRASH_POWER_CUTS ?= 200
torture: export HOLDFAST_CRASH_LIVES ?= 100
torture: TESTS := tests/host/crash
torture: test

test-fast: setup
	@# Compiled tests are kept even where that is switched off: rewriting their assertions takes as long as running them.
	PYTHONDONTWRITEBYTECODE= $(VENV)/bin/pytest -n auto -q --dist worksteal -m 'not system and not network and not slow'

demo: setup
	@examples/demo.sh

$(PEERS)/.ready: $(VENV)/.ready requirements/peers.lock
	test -x $(PEERS)/bin/python || /usr/bin/python3 -m venv $(PEERS)
	$(PEERS)/bin/python -m pip install --quiet --require-hashes -r requirements/peers.lock
	@touch $@

bench: setup $(PEERS)/.ready
	scripts/install-system-packages --peers
	$(AS_ROOT) $(PYTHON) -m benchmarks

lint: setup
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/basedpyright
	$(VENV)/bin/lint-imports

format: setup
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

docs: setup
	$(PYTHON) docs/generate.py

lock-requirements:
	scripts/lock-requirements

clean:
	$(AS_ROOT) rm -rf $(VENV) $(PEERS) .stamps build dist $(CACHES)
	find . -name __pycache__ -prune -exec $(AS_ROOT) rm -rf {} +
