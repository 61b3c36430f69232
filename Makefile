# The commands of this project; `make help` lists them. Needs Python 3.11 or newer, make and a package registry.

PORT ?= 8000
# Only from the command line: some shells and conda export a HOST of their own.
ifneq ($(origin HOST),command line)
HOST := 127.0.0.1
endif
# Processes that run tests side by side.
JOBS ?= 2
# Python to build .venv with; by default the first of these that is new enough.
PYTHON ?= python3 python3.11 python3.12 python3.13 python3.14
# Debian packages that a package registry of Python cannot bring.
SYSTEM_PACKAGES := python3-venv chromium fonts-dejavu-core nginx wrk
UV := uv==0.13.9

VENV := .venv
BIN := $(VENV)/bin
# Warnings of pip about its own configuration are not ours to show.
PIP := $(BIN)/python -m pip -qq --disable-pip-version-check
# On a terminal pip's own words show that the installation goes on.
PROGRESS := $(if $(MAKE_TERMOUT),-vv)
LOCK := env -u UV_DEFAULT_INDEX -u UV_INDEX -u UV_INDEX_URL -u UV_EXTRA_INDEX_URL -u UV_FIND_LINKS \
	.make/lock/bin/uv pip compile --quiet --no-config --no-header --system-certs \
	--default-index https://pypi.org/simple --universal --python-version 3.11 --generate-hashes

.DEFAULT_GOAL := help
.PHONY: help install run test check format readme rules-doc conformance faults fuzz screenshots bench bench-servers profile scale soak lock system-deps clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.project ## make .venv with the locked dependencies and the project (quick when nothing changed)

run: install ## start the service in demo mode on http://127.0.0.1:8000 (PORT=9000 make run)
	@exec $(BIN)/cat-cds serve --demo --host "$(HOST)" --port "$(PORT)"

test: install ## run the whole test suite (ARGS="-k name" for a part of it)
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadgroup $(ARGS)

check: install ## style, types, import directions, data files, house rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/cat-cds codes check
	$(BIN)/python -m pytest -q tests/test_house.py

format: install ## let ruff put the code in its style
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

readme: install ## renew the tree and the table of settings in README.md
	@$(BIN)/python -m tests.house.readme

rules-doc: install ## renew docs/rules.md from hooks/data
	@$(BIN)/cat-cds rules doc --output docs/rules.md

conformance: install ## run the tests of the CDS Hooks specification and renew docs/conformance.md
	@$(BIN)/python -m tests.spec.report

faults: install ## break what is around the service, row by row, ten times each, and renew docs/faults.md
	@$(BIN)/python -m tests.faults.report

fuzz: install ## throw spoilt requests and records at the service for minutes (SECONDS=600 for longer)
	@FUZZ_SECONDS=$(or $(SECONDS),300) $(BIN)/python -m pytest -q -s -n 0 tests/fuzz

screenshots: install ## renew the pictures in docs/screenshots (needs chromium: make system-deps)
	@$(BIN)/python -m tests.browser.screenshots

bench: install ## measure the service against a bare Flask route, as ratios (needs wrk: make system-deps)
	@$(BIN)/python -m tests.bench

profile: install ## show where a call spends its time (ARGS="--order apixaban"; says what it needs)
	@$(BIN)/python -m tests.bench.profile $(ARGS)

bench-servers: install ## compare WSGI servers under the same load (needs wrk; says what else it needs)
	@$(BIN)/python -m tests.bench.servers

scale: install ## kill replicas and crash the database under load for minutes, and renew docs/scale.md (SECONDS=900 for longer)
	@$(BIN)/python -m tests.scale $(or $(SECONDS),300)

soak: install ## load the service with a mix of requests for half an hour and renew docs/soak.md (MINUTES=3 for shorter)
	@$(BIN)/python -m tests.soak --minutes $(or $(MINUTES),30)

lock: .make/lock/.done ## renew requirements/*.txt from pyproject.toml
	$(LOCK) pyproject.toml --upgrade --output-file requirements/run.txt
	$(LOCK) --group build --upgrade --output-file requirements/build.txt
	$(LOCK) pyproject.toml --extra demo --constraints requirements/run.txt --upgrade --output-file requirements/demo.txt
	$(LOCK) pyproject.toml --extra demo --group dev --constraints requirements/build.txt --constraints requirements/run.txt --upgrade --output-file requirements/dev.txt

system-deps: ## install the Debian packages that need root (nothing happens when they are there)
	@missing=""; for p in $(SYSTEM_PACKAGES); do dpkg -s $$p >/dev/null 2>&1 || missing="$$missing $$p"; done; \
	if [ -z "$$missing" ]; then echo "system packages are in place: $(SYSTEM_PACKAGES)"; else \
	sudo=$$([ "$$(id -u)" = 0 ] || echo sudo); \
	$$sudo apt-get update -q && $$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $$missing; fi

clean: ## remove what the commands above made
	rm -rf $(VENV) .make dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find app hooks fixtures tests -name __pycache__ -type d -prune -exec rm -rf {} +

# --- files -----------------------------------------------------------------------------------------------------------

# $(call make_venv,DIRECTORY): the first Python that is new enough and can make environments, or one line of advice.
define make_venv
@[ -x $(1)/bin/python ] && $(1)/bin/python -m pip --version >/dev/null 2>&1 || { \
old=""; bare=""; \
for p in $(PYTHON); do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 || { old="$$old $$p"; continue; }; \
	$$p -c 'import ensurepip, venv' >/dev/null 2>&1 || { bare=$$p; continue; }; \
	echo "making $(1) with $$($$p --version)"; rm -rf $(1); exec $$p -m venv $(1); \
done; \
if [ -n "$$bare" ]; then \
	echo "$$bare cannot make virtual environments (no venv or ensurepip module). On Debian or Ubuntu: apt-get install python3-venv" >&2; \
else \
	echo "Python 3.11 or newer is needed and none was found (tried:$$old). Install it, or name it: make PYTHON=/path/to/python3 install" >&2; \
fi; exit 1; }
endef

$(VENV)/.locked: requirements/dev.txt
	$(call make_venv,$(VENV))
	@echo "installing $$(grep -c == requirements/dev.txt) locked packages into $(VENV): a minute or two, once"
	@$(PIP) install --require-hashes -r requirements/dev.txt $(PROGRESS) \
	|| { echo "The packages could not be installed. Is a package registry reachable (pip config list)?" >&2; exit 1; }
	@touch $@

# Build tools come from the lock, too: no isolation, nothing unpinned.
$(VENV)/.project: $(VENV)/.locked pyproject.toml
	@$(PIP) install --no-deps --no-build-isolation --editable .
	@touch $@

.make/lock/.done: Makefile
	$(call make_venv,.make/lock)
	@.make/lock/bin/python -m pip -qq --disable-pip-version-check install $(UV)
	@touch $@
