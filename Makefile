# One virtual environment, two stamps: the demo needs less than the tests.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# Two processes on two cores: threads that spin while they wait would starve each other.
export OMP_WAIT_POLICY := PASSIVE
export GOMP_SPINCOUNT := 1000

.DEFAULT_GOAL := help
.PHONY: help install demo test check format docs bench clean

help:  ## Print this list
	@awk 'BEGIN {FS = ":.*##"} /^[a-z]+:.*##/ {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.local: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV) (a few minutes the first time) ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.local

install: $(VENV)/.dev  ## Set up everything for development

demo: $(VENV)/.local  ## Distil a student offline and show how good it is
	@$(BIN)/bedrock-distill demo

test: $(VENV)/.dev  ## Run all tests
	@$(BIN)/python -m pytest -n 3 --dist worksteal -q

check: $(VENV)/.dev  ## Lint, types, import contracts, generated docs
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python docs/generate_reference.py --check

format: $(VENV)/.dev  ## Format the code
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

cover: $(VENV)/.dev  ## Run all tests and show what they miss
	@$(BIN)/python -m pytest -n 2 --dist worksteal -q --cov --cov-report=term

docs: $(VENV)/.dev  ## Write the reference pages from the code
	@$(BIN)/python docs/generate_reference.py

bench: $(VENV)/.dev  ## Measure the hot paths and the trainer against their peers
	@$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@$(BIN)/python -m benchmarks

clean:  ## Remove the environment and what tools left behind
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist
