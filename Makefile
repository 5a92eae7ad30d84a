# Two commands are all that most people need:
#
#   make run PROMPT="Five outrageous names for a pet pelican"
#   make test
#
# run     an answer, and what else there is; YES=1 agrees to download what gpt-oss needs
# test    the whole suite, with no network; ARGS="-k flow" goes to pytest
# lint    ruff, mypy, and cog for the README's generated parts
# cover   the suite with coverage
# record  record the cassettes anew from the Ollama at OLLAMA_HOST with the model LOCAL_LLM_MODEL
# bench   the benchmarks
# engines the table of what each engine can do, from a run of its tests

.DELETE_ON_ERROR:
.PHONY: run test lint cover record bench engines

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTHON = $(shell for python in python3 python3.13 python3.12 python3.11 python3.10; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 10))' 2>/dev/null && echo $$python && break; done)

# Through the environment, and not expanded by make: a prompt may hold quotes, spaces and $.
PROMPT ?= Five outrageous names for a pet pelican
override PROMPT := $(value PROMPT)
export PROMPT

run: .venv/installed
	@BIN=$(BIN) YES=$(YES) ./scripts/first_run.sh

test: .venv/dev
	$(BIN)/python -m pytest $(ARGS)

lint: .venv/dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	if grep -q '\[\[\[cog' README.md; then $(BIN)/cog --check README.md; fi

cover: .venv/dev
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage report

record: .venv/dev
	$(BIN)/python -m pytest -m vcr --record-mode=rewrite $(ARGS)

bench: .venv/dev
	for benchmark in benchmarks/*.py; do $(BIN)/python $$benchmark || exit 1; done

engines: .venv/dev
	$(BIN)/python tests/engines/table.py
	$(BIN)/cog -r README.md

# pip reads dependency groups from 25.1 on.
.venv/pip:
	@test -n "$(PYTHON)" || { echo "No Python 3.10 or later was found: install one from python.org."; exit 1; }
	$(PYTHON) -m venv .venv
	$(PIP) install 'pip>=25.1'
	@touch $@

.venv/installed: .venv/pip pyproject.toml
	@echo "Installing into .venv"
	$(PIP) install --editable .
	@touch $@

.venv/dev: .venv/installed
	@echo "Installing the tools into .venv"
	$(PIP) install --group dev
	@touch $@
