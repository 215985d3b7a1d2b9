# Every target sets up .venv from the lock first; `make setup` alone does just that.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PYTHONS ?= 3.11 3.12 3.13
COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-annotate

.PHONY: help setup demo up test test-pythons test-duckdb test-containers test-operations test-faults test-s3 test-azure test-workers test-engines test-ui bench check format docs pictures site lock clean

help:  ## these lines
	@sed -n 's/^\([a-z-]*\):[^#]*  ## /\1: /p' $(firstword $(MAKEFILE_LIST)) | awk -F ': ' '{printf "  make %-16s %s\n", $$1, substr($$0, length($$1) + 3)}'

setup: $(VENV)/ready  ## .venv from requirements.lock, which all others ask for

$(VENV)/ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "engagement-pipeline needs Python 3.11 or newer; name one with: make PYTHON=python3.12 …" >&2; exit 1; }
	@echo "setting up $(VENV) from requirements.lock (once, a minute or two)"
	@rm -rf $(VENV) && $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --no-index --editable .
	@touch $@

demo: setup  ## the main job on the emulator: no network, no credentials
	@$(BIN)/engagement demo

up: setup  ## Dagster and the emulator together; Ctrl-C ends both
	@$(BIN)/engagement up

test: setup  ## the tests
	@$(BIN)/python -m pytest

# What pyenv puts on the PATH runs only where its version is chosen, so each interpreter that is found is tried.
test-pythons: setup  ## the tests on each of PYTHONS that the PATH, pyenv or uv has; each gets a .venv-VERSION
	@ran=; failed=; for version in $(PYTHONS); do \
		python=$$({ command -v python$$version; ls -dr "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/$$version.*/bin/python; \
			uv python find --no-python-downloads $$version; } 2>/dev/null | while read -r found; do \
			"$$found" -c "" 2>/dev/null && echo "$$found" && break; done); \
		[ -n "$$python" ] || { echo "Python $$version: not on this machine"; continue; }; \
		echo "Python $$version: $$python"; ran=yes; \
		$(MAKE) --no-print-directory test VENV=.venv-$$version PYTHON="$$python" || failed="$$failed $$version"; \
	done; \
	[ -n "$$ran" ] || { echo "none of $(PYTHONS) is on this machine" >&2; exit 1; }; \
	[ -z "$$failed" ] || { echo "failed on Python$$failed" >&2; exit 1; }

test-operations: setup  ## docs/operations.md on a throwaway machine: as root, with Debian's PostgreSQL; six minutes
	@$(BIN)/python -m pytest -m operations -n 0 -rs

test-containers: setup  ## the image is built by Debian's buildah, and its services run: as root, with Debian's PostgreSQL; ten minutes
	@{ command -v buildah && command -v debootstrap; } >/dev/null || { apt-get update --quiet=2 && apt-get install --quiet=2 --no-install-recommends buildah debootstrap; }
	@$(BIN)/python -m pytest -m containers -n 0 -rs

test-duckdb: setup  ## engagement.duckdb in DuckDB 1.1 to 1.5, which it installs into .venv/duckdb; two minutes
	@$(BIN)/python -m pytest -m duckdb -n 0 -rs

test-faults: setup  ## each call of a command fails or kills it once, by Debian's strace; then long sweeps and random walks; hours
	@command -v strace >/dev/null || { apt-get update --quiet=2 && apt-get install --quiet=2 --no-install-recommends strace; }
	@$(BIN)/python -m pytest -m faults -rs

test-s3: setup  ## a lake in a bucket on Ceph's gateway, which it installs from Debian; as root, ten minutes
	@command -v radosgw >/dev/null || { apt-get update --quiet=2 && apt-get install --quiet=2 --no-install-recommends $(CEPH); }
	@PYTHONPATH=. $(BIN)/python tests/support/ceph.py $(BIN)/python -m pytest -m "s3 or not s3" -n 2 -rs $(IN_BUCKETS)

test-azure: setup .venv/azurite  ## the same in a container on Azure's Azurite, which it installs from npm; ten minutes
	@PATH="$(CURDIR)/.venv/azurite/node_modules/.bin:$$PATH" PYTHONPATH=. $(BIN)/python tests/support/azurite.py $(BIN)/python -m pytest -m "s3 or not s3" -n 2 -rs $(IN_BUCKETS)

.venv/azurite: .venv/ready
	@command -v npm >/dev/null || { apt-get update --quiet=2 && apt-get install --quiet=2 --no-install-recommends npm; }
	@rm -rf $@ && npm install --silent --no-fund --no-audit --prefix $@ azurite@3.35.0 || { rm -rf $@; exit 1; }

test-workers: setup  ## deploy/celery on machines that share no file: Debian's PostgreSQL and Redis, Ceph's gateway; as root, a quarter of an hour
	@{ command -v radosgw && command -v redis-server && ls /usr/lib/postgresql/*/bin/initdb; } >/dev/null 2>&1 || { apt-get update --quiet=2 && apt-get install --quiet=2 --no-install-recommends $(CEPH) redis-server postgresql; }
	@PYTHONPATH=. $(BIN)/python tests/support/ceph.py $(BIN)/python -m pytest -m workers -n 0 -rs tests/deploy/test_workers.py

CEPH := ceph-mon ceph-mgr ceph-osd ceph-common radosgw
IN_BUCKETS := tests/lake/test_storage.py tests/lake/test_bucket.py tests/end_to_end/test_bucket.py

test-engines: .venv/engines  ## the examples for Polars, Daft and Spark over a bucket; Spark needs Debian's Java; some minutes
	@command -v java >/dev/null || { apt-get update --quiet=2 && apt-get install --quiet=2 --no-install-recommends default-jre-headless; }
	@$(BIN)/python -m pytest -m "engines or not engines" -n 0 -rs tests/docs/test_engines.py

# A gigabyte, with versions of its own of what the project needs too.
.venv/engines: .venv/ready docs/engines/requirements.lock
	@rm -rf $@ && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $@ -r docs/engines/requirements.lock
	@touch $@

test-ui: setup  ## three minutes of Dagster's UI and the explorer in Debian's Chromium; the pictures are left in .venv/test-ui
	@command -v chromium >/dev/null || { apt-get update --quiet=2 && apt-get install --quiet=2 --no-install-recommends chromium; }
	@$(BIN)/python -m pytest -n 0 --basetemp .venv/test-ui tests_ui

bench: .venv/benchmarks  ## half an hour; fails where a target is missed
	@failed=; for script in $(filter-out %/synthetic.py,$(wildcard benchmarks/*.py)); do \
		echo; echo "$$script"; PYTHONPATH=.venv/benchmarks $(BIN)/python -u "$$script" || failed="$$failed $$script"; \
	done; [ -z "$$failed" ] || { echo "missed a target:$$failed" >&2; exit 1; }

# What the project is compared with, apart from what it is made of.
.venv/benchmarks: .venv/ready benchmarks/requirements.lock
	@rm -rf $@ && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $@ -r benchmarks/requirements.lock
	@touch $@

check: setup  ## format, lint, types, and that no room imports upward
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

format: setup  ## fix what the formatter and the linter can fix
	@$(BIN)/ruff format
	@$(BIN)/ruff check --fix

docs: setup  ## docs/data-dictionary.md, the drawing in docs/pictures, and the answers in the cookbook, from the code
	@$(BIN)/python -m engagement_pipeline.query.dictionary
	@PYTHONPATH=. $(BIN)/python docs/drawing.py
	@PYTHONPATH=. $(BIN)/python docs/answers.py

pictures: .venv/docs  ## the five pictures of the program at work, in Debian's Chromium; five minutes
	@command -v chromium >/dev/null || { apt-get update --quiet=2 && apt-get install --quiet=2 --no-install-recommends chromium; }
	@PYTHONPATH=.venv/docs $(BIN)/python docs/pictures.py

# The pages keep their places, so that links between them are the same on a code host, in a clone and on the site. The
# build is not quiet: --strict counts what it says.
PAGES := *.md LICENSE engagement.toml docs/*.md docs/engines docs/notebooks docs/pictures data/README.md data/roster.example.csv benchmarks/README.md benchmarks/synthetic.py

site: .venv/docs  ## all pages as a site, in site/; fails on a link that leads nowhere
	@rm -rf .venv/pages && mkdir .venv/pages && tar -cf - $(PAGES) | tar -xf - -C .venv/pages
	@NO_MKDOCS_2_WARNING=1 PYTHONPATH=.venv/docs $(BIN)/python -m mkdocs build --strict --config-file docs/mkdocs.yml
	@echo "the site is in site/: open site/index.html"

# What the pages are made with, apart from what the project is made of.
.venv/docs: .venv/ready docs/requirements.lock
	@rm -rf $@ && $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --target $@ -r docs/requirements.lock
	@touch $@

lock:  ## needs uv; hashes only, no address of an index
	$(COMPILE) pyproject.toml --extra dev --extra dagster --extra postgres --extra kubernetes --extra celery --extra report --extra explore --extra s3 --output-file requirements.lock
	$(COMPILE) benchmarks/requirements.in --constraint requirements.lock --output-file benchmarks/requirements.lock
	$(COMPILE) docs/requirements.in --constraint requirements.lock --output-file docs/requirements.lock
	$(COMPILE) docs/engines/requirements.in --output-file docs/engines/requirements.lock

clean:  ## remove the environments, the caches and the site
	rm -rf site .venv .venv-* .pytest_cache .mypy_cache .ruff_cache .hypothesis
