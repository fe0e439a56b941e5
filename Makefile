# Two commands matter: `make demo` and `make test`. Both install what they need.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON313 ?= $(shell for p in python3.13 $$HOME/.pyenv/versions/3.13*/bin/python3.13 /usr/local/bin/python3.13; do \
	if $$p -c '' >/dev/null 2>&1; then echo $$p; break; fi; done)
VENV := .venv
PY := $(VENV)/bin/python
BIN := $(VENV)/bin
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
