# Every command a developer or a newcomer needs. Each makes .venv from the lock file when it is absent or stale.
# Wants: a POSIX shell, make, CPython 3.11 to 3.14. Nothing else.

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?=
ARGS ?=
JOBS ?= 4# for tests: half of them wait for kills, clients and time
TESTS ?= tests
FUZZ_SECONDS ?= 60

BIN := .venv/bin
STAMP := .venv/.stamp
COVERAGE := build/coverage
PYTEST := $(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --cov --cov-report= --cov-fail-under=0
# Where the modules are not kept compiled, each of the servers that tests start spends a second on them.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help run test tested peers compiled unit check lint style types imports pages coverage fuzz bench docs lock clean

help: ## show this list
	@echo "Quintet: make COMMAND [ARGS=...]"
	@echo
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name text; \
		do printf '%-12s %s\n' "$$name" "$$text"; done
	@echo
	@echo "  PYTHON=...   the interpreter for .venv (default: python3, or the newest of 3.14 to 3.11)"

# Another interpreter than the one .venv was made with, be it of the same version.
ifneq ($(PYTHON),)
ifneq ($(shell sh tools/venv.sh made with '$(PYTHON)' || echo other),)
.PHONY: $(STAMP)
endif
endif

$(STAMP): requirements.lock pyproject.toml tools/venv.sh
	@PYTHON='$(PYTHON)' sh tools/venv.sh

run: $(STAMP) ## start the demonstration server (ARGS="--port-base 20000 --data DIR")
	@$(BIN)/quintet demo $(ARGS)

test: ## run every test, with foreign clients and servers where they can be installed
	@$(MAKE) --no-print-directory -j 2 tested

tested: peers compiled
	@mkdir -p $(COVERAGE)
	TMPDIR=$$(sh tools/tmpdir.sh) $(PYTEST) $(ARGS) $(TESTS)

# Waits for the network, while .venv is made and the modules of tests are compiled: once, and not by every worker.
peers:
	@sh tests/interop/install.sh

compiled: $(STAMP)
	@$(BIN)/python -m pytest --collect-only -q $(TESTS) >/dev/null 2>&1 || true

unit: $(STAMP) ## run the fast tests only, without coverage
	$(BIN)/python -m pytest -q -m "not interop and not slow" $(ARGS) tests/unit

check: $(STAMP) ## every gate: format, lint, types, imports, generated docs, coverage
	@$(MAKE) --no-print-directory -j 2 types coverage style imports pages

lint: style types imports pages

style: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: $(STAMP)
	$(BIN)/mypy --strict src tests

imports: $(STAMP)
	$(BIN)/lint-imports

pages: $(STAMP)
	$(BIN)/python -m tools.docs --check

# `make test` leaves its measurements; only where they are absent or older than the sources are the unit tests run.
coverage: $(STAMP)
	@if [ ! -f $(COVERAGE)/data ] || [ -n "$$(find src -name '*.py' -newer $(COVERAGE)/data | head -n 1)" ]; then \
		echo "coverage: no fresh measurement from 'make test', running the unit tests"; \
		mkdir -p $(COVERAGE) && \
		TMPDIR=$$(sh tools/tmpdir.sh) $(PYTEST) -q tests/unit; \
	fi
	$(BIN)/coverage report

fuzz: $(STAMP) ## feed mutated input to every parser (FUZZ_SECONDS=60 for each target)
	@sh tools/fuzz-engine.sh
	@FUZZ_SECONDS=$(FUZZ_SECONDS) $(BIN)/python -m tools.fuzz $(ARGS)
	@IN_STEP_SEEDS=$(shell expr 2 '*' $(FUZZ_SECONDS)) $(BIN)/pytest -q tests/property/imap/test_in_step.py

bench: $(STAMP) ## measure against the servers installed here, write docs/benchmarks.md
	@$(BIN)/python -m bench $(ARGS)

docs: $(STAMP) ## write what is generated: standards.md and its index, config.md, cli.md
	@$(BIN)/python -m tools.docs

lock: $(STAMP) ## pin the newest dependencies anew, by version and hash
	@sh tools/lock.sh

clean: ## remove what make created
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find src tests tools -name __pycache__ -type d -prune -exec rm -rf {} +
