# Binnacle. `make up` starts a cluster, `make test` runs every check.
#   make up [DETACH=1] [PORT=8080] [API_PORT=6443] [VAR=var]      make down status clean token
#   make test lint bench soak [RUNS=10] kubectl

PYTHON ?= python3
VAR ?= var
RUNS ?= 10
PORT ?= 8080
API_PORT ?= 6443
export BINNACLE_VAR := $(if $(filter /%,$(VAR)),$(VAR),$(CURDIR)/$(VAR))
export PORT API_PORT

BIN := .venv/bin

.PHONY: up down status clean token test lint bench soak kubectl install

up: .venv/installed
	@exec $(BIN)/python -m config up $(if $(DETACH),--detach)

down status: .venv/installed
	@$(BIN)/python -m config $@

clean: .venv/installed
	@$(BIN)/python -m config clean

token: .venv/installed
	@BINNACLE_PORT=$(PORT) $(BIN)/python manage.py login_token --skip-checks

# First what can run side by side; then the browser, whose driver keeps an event loop in its process; then what measures
# or kills processes, a file's tests one after another.
test: .venv/installed-dev
	@$(BIN)/python -m tests.prepare
	$(BIN)/pytest -q -n 2 --dist loadfile -m "not serial" --ignore tests/browser
	$(BIN)/pytest -q tests/browser
	$(BIN)/pytest -q -n 2 --dist loadfile -m serial --ignore tests/browser

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/biome ci --error-on-warnings --colors=off
	$(BIN)/mypy
	$(BIN)/lint-imports

# A kubectl in .venv/bin, where the machine has none.
kubectl: .venv/installed
	@$(BIN)/python -m config.kubectl

bench: .venv/installed-dev
	@$(BIN)/python -m bench

# The whole suite RUNS times, in random order and beside two busy processes: shows tests that lean on time or on neighbours.
soak: .venv/installed-dev
	@$(BIN)/python -m tests.prepare
	@$(BIN)/python -m tests.soak $(RUNS)

install: .venv/installed

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "binnacle: needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) --version 2>&1): set PYTHON=…" >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { echo "binnacle: $(PYTHON) cannot make a virtual environment (Debian: install python3-venv)" >&2; exit 1; }

.venv/installed: requirements.txt | .venv/bin/python
	@echo "Installing what Binnacle needs into .venv …"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -r requirements.txt
	@$(BIN)/python -m compileall -qq -j 0 .venv/lib || true # on all processors, while pip uses one
	@ln -sf "$$($(BIN)/python -c 'from client.keyvalue import server; print(server())')" $(BIN)/redis-server
	@touch $@

.venv/installed-dev: requirements-dev.txt .venv/installed
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@
