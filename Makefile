# Every target makes what it needs: a fresh clone and Python 3.10 or newer are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Files of tests side by side: many of them wait for servers.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo view test test-soak test-stack otelcol jaeger test-oldest wheel-test lint format bench docs lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# The stamp stands for an environment that holds exactly what the lock file names.
$(VENV)/.ready: requirements.lock pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint requirements.lock uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --requirement requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	touch $@

demo: $(VENV)/.ready  ## run an example agent service and show what is seen of it
	$(BIN)/otelkit demo

view: $(VENV)/.ready  ## receive telemetry on http://127.0.0.1:4318 and show it there
	$(BIN)/otelkit view

test: $(VENV)/.ready  ## run the tests
	$(BIN)/python -m pytest $(PARALLEL)

test-soak: $(VENV)/.ready  ## run the tests that take minutes: outages, forks by the hundred
	$(BIN)/python -m pytest -m 'soak and not stack'

test-stack: $(VENV)/.ready  ## run the tests of the stack, with the real collector and Prometheus
	$(BIN)/python -m pytest -m stack

otelcol:  ## find the collector, or build it with Go; prints its path last
	@sh collector/otelcol.sh

jaeger:  ## find Jaeger, or build it with Go; prints its path last
	@sh collector/jaeger/jaeger.sh

test-oldest: $(VENV)/.ready  ## run the tests with the oldest versions that are supported
	test -x $(VENV)-oldest/bin/python || $(PYTHON) -m venv $(VENV)-oldest
	$(BIN)/uv pip install --quiet --python $(VENV)-oldest/bin/python \
		--requirement requirements.lock --override tests/oldest.txt
	$(BIN)/uv pip install --quiet --python $(VENV)-oldest/bin/python --no-deps --no-build-isolation --editable .
	$(VENV)-oldest/bin/python -m pytest $(PARALLEL)

wheel-test: $(VENV)/.ready  ## build the wheel, and use it in an environment of its own
	PYTHON="$(PYTHON)" sh tests/wheel.sh $(BIN)/python

lint: $(VENV)/.ready  ## check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.ready  ## mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.ready  ## measure, as ratios against the raw SDK
	$(BIN)/python benchmarks/run.py

docs: $(VENV)/.ready  ## write what is made from the code: tables of variables, picture of the viewer
	$(BIN)/python docs/variables.py
	$(BIN)/python docs/picture.py

lock: $(VENV)/.ready  ## choose the newest versions that fit, and write requirements.lock
	$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.10 --no-header --no-annotate \
		--no-emit-index-url --all-extras --output-file requirements.lock pyproject.toml

clean:  ## remove what the other targets made
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
