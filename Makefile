# The daily commands. Each takes ARGS="...": make test ARGS="-k sealer -x"
PYTHON := .venv/bin/python
CACHE := $(CURDIR)/.cache
export UV_CACHE_DIR := $(CACHE)/uv
export PIP_CACHE_DIR := $(CACHE)/pip
export NUMBA_CACHE_DIR := $(CACHE)/numba
export MPLCONFIGDIR := $(CACHE)/matplotlib
export UV_PYTHON_DOWNLOADS := never
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export MLFLOW_DISABLE_TELEMETRY := true
export OPENBLAS_NUM_THREADS := 1
export OMP_NUM_THREADS := 1
# mypy's Django plugin loads the settings; nothing is reached with these
IDLE = TWIN_DATABASE_URL=postgresql://nobody@/none TWIN_SECRET_KEY=$$($(PYTHON) -c 'import secrets; print(secrets.token_urlsafe(48))')

.DEFAULT_GOAL := help
.PHONY: help install demo demo-check code test campaign honest bench check

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

install: .venv/installed  ## make .venv with all dependencies; compile the kernel; find Chromium
	@$(PYTHON) -m twin_core.science.kernel.selftest
	@$(PYTHON) -m tests.chromium --install

.venv/installed: requirements-dev.txt requirements-uv.txt
	@python3 -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "Python 3.11, 3.12 or 3.13 is needed; python3 is " + sys.version.split()[0])'
	@test -x $(PYTHON) || python3 -m venv .venv || { rm -rf .venv; echo "python3 -m venv failed; on Debian: apt-get install python3-venv" >&2; exit 1; }
	$(PYTHON) -m pip install --quiet --require-hashes --no-deps -r requirements-uv.txt
	.venv/bin/uv pip sync --quiet --require-hashes --python $(PYTHON) requirements-dev.txt
	@touch $@

demo: .venv/installed  ## run the demonstration on this machine; Ctrl-C stops it
	@exec $(PYTHON) manage.py supervise --demo $(ARGS)

demo-check: .venv/installed  ## the same without a browser; prints one JSON line
	@$(PYTHON) manage.py demo_check $(ARGS)

code: .venv/installed  ## a demo person's one-time code: make code USER=quinn
	@$(PYTHON) manage.py code $(USER) $(ARGS)

test: .venv/installed  ## the whole suite, services included
	@$(PYTHON) -m pytest $(ARGS)

PART ?= ledger
bench: .venv-bench/installed  ## measure beside named rivals: make bench PART=ledger ARGS="--rounds 3"
	@.venv-bench/bin/python -m tests.benchmarks $(PART) $(ARGS)

.venv-bench/installed: .venv/installed requirements-bench.txt
	@test -x .venv-bench/bin/python || python3 -m venv .venv-bench
	.venv/bin/uv pip sync --quiet --require-hashes --python .venv-bench/bin/python requirements-bench.txt
	@touch $@

SHARE ?= 1
campaign: .venv/installed  ## inject the catalogue's faults in full: make campaign SHARE=0.1 ARGS="-k STO"
	@$(PYTHON) -m pytest -m fault --campaign $(SHARE) $(ARGS); status=$$?; $(PYTHON) manage.py fault_table; exit $$status

honest: .venv/installed  ## a million honest records from 16 writers: no false alarm
	@$(PYTHON) -m tests.campaigns.honest $(ARGS)

check: .venv/installed  ## lint, format, types, import contracts, size ceilings
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@$(IDLE) .venv/bin/mypy $(ARGS)
	@$(PYTHON) -m pytest -q tests/architecture
