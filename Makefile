# Needs python3 (3.11 or newer) and make. Everything else goes into a virtual environment of its own.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ARGS ?=

.PHONY: help demo test run lint bench fuzz collector audit docs prices clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.run  ## simulated providers, the sidecar and sample traffic: no key, no network
	$(BIN)/sidecar demo $(ARGS)

run: $(VENV)/.run  ## the sidecar, with ./sidecar.yaml if there is one; ARGS="-c FILE"
	$(BIN)/sidecar run $(ARGS)

test: $(VENV)/.dev  ## the whole test suite but the speed gate; ARGS="tests/core -x"
	$(BIN)/python -m pytest -n 2 --dist loadgroup -m "not speed" $(ARGS)

lint: $(VENV)/.dev  ## ruff, mypy --strict, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.dev  ## CPU, latency and memory beside a plain relay, in the same run
	$(BIN)/python -m tests.bench $(ARGS)

fuzz: $(VENV)/.dev  ## 100,000 damaged exchanges; ARGS="--seed 7 --exchanges 1000", or --only 123
	$(BIN)/python -m tests.fuzz $(ARGS)

collector: $(VENV)/.dev  ## OTLP against the real OpenTelemetry Collector; needs Go to build it, once
	$(BIN)/python -m tests.collector

audit: $(VENV)/bin/python  ## known faults of what an installation brings; asks the network
	rm -rf $(VENV)/audited
	$(PYTHON) -m venv $(VENV)/audited
	$(VENV)/audited/bin/python -m pip install -q --disable-pip-version-check '.[kube]'
	$(VENV)/audited/bin/python -m pip freeze | grep -v '^llm-sidecar-proxy' >$(VENV)/audited/all.txt
	$(BIN)/python -m pip install -q --disable-pip-version-check pip-audit
	$(BIN)/pip-audit --strict --no-deps --disable-pip -r $(VENV)/audited/all.txt $(ARGS)

docs: $(VENV)/.dev  ## write the generated parts of README.md and docs/
	$(BIN)/python -m tests.generated

prices: $(VENV)/.dev  ## write the built-in price table anew; asks the network
	$(BIN)/python -m pip install -q --disable-pip-version-check -U genai-prices
	$(BIN)/python tools/make_prices.py

clean:  ## remove the virtual environment
	rm -rf $(VENV)

# The stamps: installed again when the dependencies change.
$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or newer is needed"'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e .
	touch $@

$(VENV)/.dev: pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	touch $@ $(VENV)/.run
