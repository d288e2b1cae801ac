# Works on a machine that has git, make and Python 3.11 to 3.13 with venv. `make help` lists what there is.

PYTHON ?= python3
UV ?= uv
BIN := .venv/bin
SOURCES := app migrations tests benchmarks trials config.py config_checks.py wsgi.py
LOCK := $(UV) pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--custom-compile-command "make lock"

.DEFAULT_GOAL := help
.PHONY: help run setup test test-fast lint format letters screenshots bench trial migration messages lock clean

help: ## list these
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 12

run: setup ## install, migrate, load the example newsletters, and serve on port 8000
	@JAWEL_ENV=$${JAWEL_ENV:-development} sh -ec '\
		$(BIN)/jawel migrate; \
		[ -n "$$($(BIN)/jawel newsletters list)" ] || $(BIN)/jawel newsletters apply newsletters.example.toml; \
		exec $(BIN)/jawel serve'

setup: .venv/installed ## install into .venv, and nothing more

# Tests start hundreds of processes: without files of bytecode each would compile the program anew.
test test-fast: export PYTHONDONTWRITEBYTECODE =

# Half of a test's time is waiting, for answers and for processes.
TEST_PROCESSES ?= $(shell n=$$(( $$(nproc) * 2 )); echo $$(( n < 8 ? n : 8 )))

test: .venv/installed-dev ## the whole test suite; ARGS go to pytest
	$(BIN)/pytest --numprocesses=$(TEST_PROCESSES) $(ARGS)

test-fast: .venv/installed-dev ## the quick loop of work: SQLite alone, no browser, no program that is started
	$(BIN)/pytest --numprocesses=$(TEST_PROCESSES) --fast $(ARGS)

lint: .venv/installed-dev ## ruff, mypy, import-linter
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/installed-dev ## let ruff lay out the code
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

letters: .venv/installed-dev ## write tests/letters, which the suite compares with, anew
	$(BIN)/pytest -q tests/features/test_letters_as_they_read.py --write-letters

screenshots: .venv/installed-dev ## photograph every page in every language, into docs/screenshots
	rm -rf docs/screenshots
	$(BIN)/pytest -q tests/browser/test_every_page.py -k with-scripts --screenshots docs/screenshots

bench: .venv/installed-dev ## measure the service beside a floor, in one run
	$(BIN)/python -m benchmarks $(ARGS)

trial: .venv/installed-dev ## hold the service to a promise of docs/trials.md: make trial TRIAL=bombing
	$(BIN)/python -m trials $(TRIAL) $(ARGS)

migration: .venv/installed-dev ## write the next migration: make migration MESSAGE="add webhook endpoints"
	$(BIN)/python -m migrations.new "$(MESSAGE)"

messages: .venv/installed-dev ## gather texts to translate, and compile the translations
	$(BIN)/pybabel -q extract -F pyproject.toml --no-location --sort-output --omit-header -o app/translations/messages.pot .
	$(BIN)/pybabel -q update --no-fuzzy-matching --ignore-pot-creation-date -i app/translations/messages.pot -d app/translations
	$(BIN)/pybabel -q compile -d app/translations

SBOM ?= dist/jawel.cdx.json

.PHONY: sbom
sbom: .venv/installed-dev ## list the locked dependencies with hashes (CycloneDX), in dist/
	@mkdir -p $(dir $(SBOM))
	$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible --output-file $(SBOM) requirements.txt

lock: ## resolve the dependencies anew; needs uv
	$(LOCK) pyproject.toml --group build -o requirements.txt
	$(LOCK) pyproject.toml --group build --group dev -c requirements.txt -o requirements-dev.txt

clean: ## remove what these targets made; the development database in instance/ stays
	rm -rf .venv dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { \
		echo "Jawel needs Python 3.11, 3.12 or 3.13. Name one: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	$(PYTHON) -m venv .venv

.venv/installed: requirements.txt pyproject.toml | .venv/bin/python
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
