# goldlake. `make` alone lists the targets; each does what set-up it needs, once.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help setup run test test-long test-current lint format lock docs kfp-env clean

USECASE ?= chicago_crime
BIN := .venv/bin
# Two processes, a file of tests at a time: Spark and TensorFlow each keep about one core busy.
WORKERS ?= -n 2 --dist loadfile
export STACK PYTHON UPGRADE

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## .venv with the locked packages, the Delta JARs and goldlake (every target does it, once)
	@bash requirements/setup.sh main

run: setup ## the whole way, generated API rows to a served prediction (USECASE=chicago_crime, ARGS=...)
	@$(BIN)/goldlake run $(USECASE) $(ARGS)

test: lint ## lint, then every test that is not long (ARGS=... goes to pytest)
	$(BIN)/python -m pytest $(WORKERS) -m "not long and not other_stack" $(ARGS)

test-long: lint ## lint, then every test, and test-current
	@bash requirements/setup.sh kfp || echo "SKIPPED: compiling for Kubeflow, for lack of its environment"
	$(BIN)/python -m pytest $(WORKERS) -m "not other_stack" $(ARGS)
	@$(MAKE) --no-print-directory test-current

test-current: setup ## all of this on a Debian 13 of its own, and both stacks on one another's homes (SHORT=1: no `make test`)
	@bash tests/debian13/run.sh $(if $(SHORT),short,whole)

lint: setup ## ruff, mypy, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## rewrites the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## the lock files in requirements/ from their .in files (UPGRADE=1: newest versions)
	@bash requirements/setup.sh lock

docs: setup ## the book, built into docs/_build/html
	@bash requirements/setup.sh docs
	$(BIN)/python docs/generate.py
	.venv-docs/bin/jupyter-book build -W docs

kfp-env: ## .venv-kfp, where tests compile the pipeline for Kubeflow
	@bash requirements/setup.sh kfp

clean: ## removes the environments and what was built; what runs have stored (var/) stays
	rm -rf .venv .venv-docs .venv-kfp build docs/_build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +
