# Thin: each line calls what a person could type.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test check bench profiles chaos kafka helm lock format schemas

.venv/ready: requirements.lock deploy/lock/uv.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Millstream needs Python 3.11, and '$(PYTHON)' is not: install it, or run 'make PYTHON=/path/to/python3.11 ...'."; exit 2; }
	@test -x $(BIN)/python || { echo "Creating .venv and installing the locked dependencies (once; 2.5 GB on disk, most of it TensorFlow) ..."; $(PYTHON) -m venv .venv; }
	@$(PIP) --require-hashes -r deploy/lock/uv.txt \
	  && $(BIN)/uv pip install --quiet --system-certs --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock \
	  || { echo "uv could not (it reads none of pip's settings); installing with pip, which takes longer ..."; $(PIP) --require-hashes -r requirements.lock; }
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

demo: .venv/ready
	$(BIN)/millstream demo

test: .venv/ready
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations=15 --durations-min=10

check: .venv/ready
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/ready
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

schemas: .venv/ready
	$(BIN)/millstream schemas

kafka: .venv/ready
	$(BIN)/millstream kafka

# Needs Go 1.24 or later; builds for some minutes, once.
helm: .venv/ready
	$(BIN)/python -m tests.go_tools

bench: .venv/ready
	$(BIN)/millstream bench ingest
	$(BIN)/millstream bench training
	$(BIN)/millstream bench end-to-end
	$(BIN)/millstream bench latency
	$(BIN)/millstream bench scoring
	$(BIN)/millstream bench memory
	$(BIN)/millstream bench scale
	$(BIN)/millstream bench gateway

profiles: .venv/ready
	$(BIN)/millstream bench profiles

chaos: .venv/ready
	$(BIN)/millstream chaos --minutes 8 --json

# Hashes only, no index address.
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header
lock: .venv/ready
	echo uv | $(COMPILE) - -o deploy/lock/uv.txt
	$(COMPILE) --overrides deploy/lock/overrides.txt --extra dev pyproject.toml deploy/lock/cpu.in -o requirements.lock
