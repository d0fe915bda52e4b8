# The one list of commands. `make` alone prints it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt
# Where `make install` puts the program; DESTDIR stages it elsewhere, for an image or a package.
PREFIX ?= /opt/sonar-watch
DESTDIR ?=
ORACLE := themachinethatgoesping==0.35.1

.DEFAULT_GOAL := help
.PHONY: help system setup install install-files uninstall demo test test-all lint check schema config clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

system: ## check for the system packages (installs them when run as root)
	@bash tools/check_system.sh $(PYTHON)

$(VENV)/.detect: pyproject.toml constraints.txt | system
	@echo "installing into $(VENV) (about 6 GB; a few minutes)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) --editable '.[detect]'
	@touch $@

$(VENV)/.test: $(VENV)/.detect
	@bash tools/check_system.sh $(PYTHON) test
	@$(PIP) --editable '.[detect,test]'
	@# The oracle's own requirements would pull in a second OpenCV and more: it runs without them.
	@$(PIP) --no-deps $(ORACLE)
	@touch $@

setup: $(VENV)/.detect ## make .venv with everything a watch needs

install: | system ## put the service on this machine (root), or below DESTDIR; docs/service.md
	@PYTHON=$(PYTHON) PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) bash tools/install.sh install

install-files: ## the same without the program itself: unit, user, folders, configuration
	@PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) bash tools/install.sh files

uninstall: ## take the service off; configuration, journal and pictures stay
	@PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) bash tools/install.sh uninstall

demo: $(VENV)/.detect ## watch a simulated cruise from end to end; leaves demo/
	@$(BIN)/sonar-watch demo --log-level warning

test: $(VENV)/.test ## run the tests
	@$(BIN)/python -m pytest -rs -n 2

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
