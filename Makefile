# The one list of commands. `make` alone prints it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
ORACLE := themachinethatgoesping==0.35.1

.DEFAULT_GOAL := help
.PHONY: help system install demo test test-all lint check schema config clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

system: ## check for the system packages (installs them when run as root)
	@bash tools/check_system.sh $(PYTHON)

$(VENV)/.detect: pyproject.toml constraints.txt | system
	@echo "installing into $(VENV) (about 6 GB; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable '.[detect]'
	@touch $@

$(VENV)/.test: $(VENV)/.detect
	@$(PIP) --editable '.[detect,test]'
	@# The oracle's own requirements would pull in a second OpenCV and more: it runs without them.
	@$(PIP) --no-deps $(ORACLE)
	@touch $@

install: $(VENV)/.detect ## make .venv with everything a watch needs

demo: $(VENV)/.detect ## watch a simulated cruise from end to end; leaves demo/
	@$(BIN)/sonar-watch demo --log-level warning

test: $(VENV)/.test ## run the tests
	@$(BIN)/python -m pytest -rs

test-all: $(VENV)/.test ## run the long tests, too
	@$(BIN)/python -m pytest -rs -m 'not gpu'

lint: $(VENV)/.test ## ruff, mypy and the import rules
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

check: test lint ## all that CI runs

schema: $(VENV)/.detect ## write the alert's JSON Schema anew from its type
	@$(BIN)/python -c "from sonar_watch.alerts.message import *; SCHEMA_PATH.write_text(schema_text())"

config: $(VENV)/.detect ## write config/sonar_watch.yaml anew from the options
	@$(BIN)/sonar-watch check-config --print-default > config/sonar_watch.yaml

clean: ## remove what make made
	rm -rf $(VENV) demo build dist *.egg-info
