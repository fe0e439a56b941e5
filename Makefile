# Two commands matter: `make demo` and `make test`. Both install what they need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON313 ?= $(shell for p in python3.13 $$HOME/.pyenv/versions/3.13*/bin/python3.13 /usr/local/bin/python3.13; do \
	if $$p -c '' >/dev/null 2>&1; then echo $$p; break; fi; done)
VENV := .venv
PY := $(VENV)/bin/python
BIN := $(VENV)/bin
WORKERS ?= 2
export JSII_SILENCE_WARNING_END_OF_LIFE_NODE_VERSION := 1
export JSII_SILENCE_WARNING_DEPRECATED_NODE_VERSION := 1
export PYTHONDONTWRITEBYTECODE :=

.PHONY: help
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## / \t/' | expand -t 16

# ------------------------------------------------------------------ install
$(VENV)/.installed: requirements.lock pyproject.toml
	@test -n "$(PYTHON313)" || { echo "Python 3.13 not found: install it (pyenv install 3.13) or set PYTHON313=/path/to/python3.13"; exit 1; }
	$(PYTHON313) -m venv $(VENV)
	$(PY) -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	$(PY) -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

# Functions run in an interpreter of their own that has boto3 alone, as the Lambda runtime has: a missing dependency fails here too.
.venv-functions/.installed: requirements.lock $(VENV)/.installed
	$(PYTHON313) -m venv --without-pip .venv-functions
	$(PY) -m pip install -q --disable-pip-version-check --target .venv-functions/lib/python3.13/site-packages --upgrade \
		$$(grep -oE '^(boto3|botocore|s3transfer|jmespath|python-dateutil|six|urllib3)==[^ ]+' requirements.lock) --no-deps
	@touch $@

node_modules/.installed: package.json package-lock.json
	npm ci --silent
	@touch $@

.PHONY: install
install: $(VENV)/.installed .venv-functions/.installed node_modules/.installed ## Python, functions' interpreter and CDK CLI

.PHONY: lock
lock: ## lock the dependencies of pyproject.toml anew, with hashes
	$(PYTHON313) -m pip install -q --disable-pip-version-check uv --target .build/uv
	.build/uv/bin/uv pip compile pyproject.toml --all-extras --no-header --no-emit-index-url --generate-hashes \
		--python $(PYTHON313) -q -o requirements.lock
	sed -i '1i # Locked from pyproject.toml by `make lock`; every hash is checked at install.' requirements.lock

# ------------------------------------------------------------------ check
.PHONY: lint
lint: $(VENV)/.installed ## ruff, mypy --strict, import-linter, shellcheck, hadolint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy layers/core/python/vagus functions constructs/vagus_cdk cli/vagus_cli local/vagus_local agent/vagus_agent benchmarks app.py tests/long
	PYTHONPATH=constructs:functions:layers/core/python:cli:local $(BIN)/lint-imports
	PYTHONPATH=layers/core/python:cli:constructs:local:agent $(BIN)/lint-imports --config agent/importlinter.ini
	$(BIN)/shellcheck -x nodes/boot.sh nodes/bin/* local/vagus_local/node_bin/*
	$(BIN)/hadolint agent/Dockerfile

# Tiers by cost; measured on two cores: unit 8 min, infrastructure 1, integration 17, e2e 15 (25 and 19 beside others).
# Each tier is a run of its own: what one leaves up (nodes, an emulated AWS) ends before the next begins. Lint and
# infrastructure compute on one core each, and leave nothing up: they run side by side.
.PHONY: test
test: install engine ## everything, tier after tier
	$(MAKE) --no-print-directory -j2 --output-sync=target lint infrastructure
	$(MAKE) --no-print-directory -j1 -o engine unit integration e2e

# What PYTEST names takes the place of the whole tier; options alone are added to it.
TESTS = $(if $(findstring tests/,$(PYTEST)),,tests/$@) $(PYTEST)

.PHONY: unit infrastructure integration e2e
unit: install ## one tier of tests; replays of every interruption are many, so both cores take part
	$(BIN)/pytest $(TESTS) -n $(WORKERS) --dist worksteal
infrastructure: install
	$(BIN)/pytest $(TESTS)
integration e2e: install engine
	$(BIN)/pytest $(TESTS)

.PHONY: long
long: install engine ## tests that take minutes apiece, on the stack of e2e (PYTEST=... for one); not a part of `test`
	$(BIN)/pytest $(TESTS)

.PHONY: engine
engine: $(VENV)/.installed ## bring the search engine from Maven Central into the cache, once
	$(PY) -m vagus_local.artifacts
	$(PY) -m vagus_local.class_archive

.PHONY: kube
kube: $(VENV)/.installed ## build a Kubernetes control plane into the cache, once (7 minutes of CPU; only `long` needs it)
	$(PY) -m vagus_local.kubernetes.programs

.PHONY: bench
bench: install engine ## figures as ratios to a baseline of the same run (NAME=... for one); writes .local/bench.json
	$(PY) -m benchmarks $(NAME)

.PHONY: soak
soak: install engine ## half an hour of random events, kills, denials and people's hands (SECONDS=, SEED=)
	$(PY) -m vagus_local.soak $(if $(SECONDS),--seconds $(SECONDS)) $(if $(SEED),--seed $(SEED))

# ------------------------------------------------------------------ run
.PHONY: demo up down
demo: install engine ## an instance leaves, its shards leave first: on real nodes and a local AWS
	$(BIN)/python -m vagus_local.demo

up: install engine ## the local stack
	$(BIN)/vagus local up

down: ## end it; leaves caches only
	$(BIN)/vagus local down

.PHONY: synth deploy
synth: install ## templates of every stack into cdk.out, cdk-nag included (CDK='-c cell=prod' for one cell of several)
	node_modules/.bin/cdk synth -q $(CDK)

deploy: install ## all stacks of a cell to AWS, with your credentials (CDK='-c cell=prod --profile prod')
	node_modules/.bin/cdk deploy --all $(CDK)

.PHONY: doctor
doctor: ## each missing prerequisite, and its remedy
	@test -n "$(PYTHON313)" || { echo "Python 3.13: missing. Install it (pyenv install 3.13) or set PYTHON313=/path/to/python3.13"; exit 1; }
	@$(MAKE) -s $(VENV)/.installed
	$(BIN)/vagus doctor

.PHONY: clean-cache
clean-cache: ## remove the engine cache and everything that the make targets installed
	rm -rf "$${VAGUS_CACHE:-$${XDG_CACHE_HOME:-$$HOME/.cache}/vagus}" .venv .venv-functions node_modules .build .local cdk.out
