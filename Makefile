# Every target sets up .venv from the lock first; `make setup` alone does just that.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo up test bench check format lock clean

setup: .venv/ready

.venv/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "engagement-pipeline needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "setting up .venv from requirements.lock (once, a minute or two)"
	@rm -rf .venv && $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

demo: setup  ## the main job on the emulator: no network, no credentials
	@$(BIN)/engagement demo

up: setup  ## Dagster and the emulator together; Ctrl-C ends both
	@$(BIN)/engagement up

test: setup
	@$(BIN)/python -m pytest

bench: setup  ## some minutes; fails where a target is missed
	@for script in benchmarks/*.py; do $(BIN)/python "$$script" || exit 1; done

check: setup  ## format, lint, types
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy

format: setup
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

lock:  ## needs uv; hashes only, no address of an index
	uv pip compile pyproject.toml --extra dev --extra postgres --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate --output-file requirements.lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis
