# goldlake. `make` alone lists the targets; each does what set-up it needs, once.
SHELL := /bin/bash
.DEFAULT_GOAL := help

USECASE ?= chicago_crime
BIN := .venv/bin
# Two processes, a file of tests at a time: Spark and TensorFlow each keep about one core busy.
WORKERS ?= -n 2 --dist loadfile
# Parts of the long tests, each under an hour. Every test marked `long` is in exactly one of them.
PARTS := lake faults kills breaks fuzz serving-load ui tfx kubeflow usecases retraining mlflow setup wheel readme stacks
KILLS := tests/faults/test_kills.py tests/faults/test_disks.py
README_TEST := tests/end_to_end/test_readme.py
UI := tests/ui tests/workflows/jobs
YEAR := tests/end_to_end/test_simulated_year.py
USECASES := tests/usecases/test_whole_runs.py tests/usecases/test_bare_runs.py tests/usecases/test_fates.py tests/end_to_end/test_any_label.py
LONG_lake := $(WORKERS) -m "long and not (tfx or other_stack)" --ignore=tests/setup --ignore=tests/faults --ignore=tests/fuzz --ignore=tests/breaks --ignore=$(README_TEST) --ignore=$(YEAR) $(USECASES:%=--ignore=%) $(UI:%=--ignore=%)
LONG_faults := $(WORKERS) --dist load -m long tests/faults $(KILLS:%=--ignore=%)
LONG_breaks := -m long tests/breaks
LONG_serving-load := -s -m long tests/load
LONG_ui := -s -m long $(UI)
LONG_fuzz := $(WORKERS) --dist load -m long tests/fuzz
LONG_kills := $(WORKERS) --dist load -m long $(KILLS)
LONG_tfx := $(WORKERS) -m "long and tfx and not other_stack" --ignore=tests/setup --ignore=tests/load --ignore=tests/mlflow --ignore=tests/kubeflow --ignore=$(YEAR) $(USECASES:%=--ignore=%) $(UI:%=--ignore=%)
LONG_kubeflow := -m long tests/kubeflow
LONG_usecases := $(WORKERS) --dist load --maxschedchunk 1 -m long $(USECASES)
LONG_retraining := -s -m long $(YEAR)
LONG_mlflow := -m long tests/mlflow
LONG_setup := -m long tests/setup --ignore=tests/setup/test_wheel.py
LONG_readme := -m long $(README_TEST)
LONG_wheel := -m long tests/setup/test_wheel.py
# Optional: Spark takes 7 CPU seconds less to start, for a minute once and 200 MB. CLASSES=no leaves it out.
ARCHIVE_CLASSES = { echo "Archiving the classes that Spark loads (about a minute)"; \
	$(BIN)/python -m lakehouse.recording record chicago_crime >.venv/classes.log 2>&1 || \
	echo "There is no archive of them: Spark takes longer to start (details in .venv/classes.log)"; \
	touch .venv/.classes; }
export STACK PYTHON UPGRADE
.PHONY: help setup run test bench-ingest bench-serve bench-train test-long $(PARTS:%=long-%) test-current lint format lock docs pictures kfp-env mlflow-env clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: ## make .venv with the locked packages, the Delta JARs and goldlake (every target does this, once)
	@bash requirements/setup.sh main
	@[ .venv/.classes -nt .venv/.stamp ] || [ "$(CLASSES)" = no ] || $(ARCHIVE_CLASSES)

run: setup ## run the pipeline end to end: from generated API rows to a served prediction (USECASE=..., ARGS=...)
	@$(BIN)/goldlake run $(USECASE) $(ARGS)

test: lint ## lint, then run every test that is not long (ARGS=... goes to pytest)
	$(BIN)/python -m pytest $(WORKERS) -m "not long and not other_stack" $(ARGS)

test-long: $(if $(PART),$(addprefix long-,$(if $(filter all,$(PART)),$(PARTS),$(PART)))) ## run tests that take minutes, in parts (PART=all or a name; without it: list the parts)
ifeq ($(PART),)
	@echo "Name a part, or all of them with PART=all:"
	@echo "  make test-long PART=lake    landing, Delta tables and exports of large data"
	@echo "  make test-long PART=faults  every fault of tables, random histories, a real year from a portal that fails"
	@echo "  make test-long PART=kills   commands killed at every step, full and read-only disks"
	@echo "  make test-long PART=breaks  every break of a month of real data at every severity, and the clean months"
	@echo "  make test-long PART=fuzz    the server's decoders and its HTTP, half an hour each (FUZZ_SECONDS=...)"
	@echo "  make test-long PART=serving-load  a million requests and a thousand reloads under load (LOAD_REQUESTS=..., LOAD_RELOADS=...)"
	@echo "  make test-long PART=ui      the web app in Chromium over a home of its own: ingest, train, promote, predict; a million rows"
	@echo "  make test-long PART=tfx     a year of real data up to a served model; recorded documents"
	@echo "  make test-long PART=kubeflow  a pipeline compiled for Kubeflow, each step in a process, up to the pushed model"
	@echo "  make test-long PART=usecases  tables and labels of every kind, from a file to fates, gold and a served answer"
	@echo "  make test-long PART=retraining  a simulated year: trained again when a season turns, refused, and quiet otherwise"
	@echo "  make test-long PART=mlflow  versions of a home copied to a real MLflow server"
	@echo "  make test-long PART=setup   set-up from nothing, killed and repaired"
	@echo "  make test-long PART=wheel   the wheel in an empty environment, outside any clone"
	@echo "  make test-long PART=readme  each block of the README in a bare clone"
	@echo "  make test-long PART=stacks  make test-current"
endif

long-kubeflow: kfp-env
long-mlflow: mlflow-env
long-lake long-faults long-kills long-breaks long-fuzz long-serving-load long-ui long-tfx long-kubeflow long-usecases long-retraining long-mlflow long-setup long-wheel long-readme: lint
	$(BIN)/python -m pytest $(LONG_$(@:long-%=%)) $(ARGS)

long-stacks: test-current

long-%:
	@echo "There is no part '$*' of the long tests; there are: $(PARTS), all. Run: make test-long" >&2; exit 2

test-current: setup ## run the README's commands on Debian 13, and each stack on a home of the other (SHORT=1: no `make test`; README=1: only the README's blocks)
	@bash tests/debian13/run.sh $(if $(SHORT),short,$(if $(README),readme,whole))

lint: setup ## check style, types, and who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## rewrite the code in the project's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: ## write the lock files in requirements/ from their .in files (UPGRADE=1: newest versions)
	@bash requirements/setup.sh lock

docs: setup ## build the book into docs/_build/html
	@bash requirements/setup.sh docs
	$(BIN)/python docs/generate.py
	.venv-docs/bin/jupyter-book build -W docs

pictures: setup ## make the README's pictures of the web app and the report (HOME_DIR=...: a home that `make run` made); needs Chromium
	$(BIN)/python docs/pictures.py $(or $(HOME_DIR),var/demo)

bench-ingest: setup ## measure ingestion beside dlt on real data, and write the book's page (YEARS=10: ten years)
	@bash requirements/setup.sh bench
	$(BIN)/python -m benchmarks.ingest --peer .venv-bench/bin/python --years $(or $(YEARS),1) --page docs/benchmarks/ingest.md

bench-train: setup ## measure a training, beside stock TFX too, and write the book's page (HOME_DIR=...: a home with an export, default the demo's; ARGS="beside --old FOLDER": beside another commit)
	$(BIN)/python -m benchmarks.train $(or $(ARGS),year many nothing) --home $(or $(HOME_DIR),var/demo) --page docs/benchmarks/train.md

bench-serve: setup ## measure the model server beside KServe's and a bare ASGI application, and write the book's page (HOME_DIR=...: a home that serves the demo's model; ARGS="--seconds 4": shorter)
	@bash requirements/setup.sh bench-serve
	$(BIN)/python -m benchmarks.serve --peer .venv-bench-serve/bin/python --home $(or $(HOME_DIR),var/demo) --page docs/benchmarks/serve.md $(ARGS)

kfp-env: ## make .venv-kfp, where tests compile the pipeline for Kubeflow
	@bash requirements/setup.sh kfp

mlflow-env: ## make .venv-mlflow, an MLflow server that a test copies models to
	@bash requirements/setup.sh mlflow

clean: ## remove the environments and what was built; what runs have stored (var/) stays
	rm -rf .venv .venv-uv .venv-docs .venv-bench .venv-bench-serve .venv-kfp .venv-mlflow build docs/_build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -not -path './var/*' -prune -exec rm -rf {} +
