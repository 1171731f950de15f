# Every target sets up what it needs. `make` alone lists them.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
SYSTEM := $(VENV)/.system
CASES  := $(VENV)/.cases

TEST_PROCESSES ?= 3 # of two cores: while one waits for a server, another works

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-faults test-frameworks lint check bench bench-release bench-checks bench-monitor bench-log bench-annotation pins clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

setup: $(READY) ## make the environment .venv from the hashed pins

$(READY): requirements/dev.txt requirements/data.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -c "import uv" 2>/dev/null || $(BIN)/pip install --quiet uv
	$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes --compile-bytecode requirements/dev.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes --no-deps -r requirements/data.txt
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	$(BIN)/python -m compileall -q src
	@touch $@

$(SYSTEM): $(READY) scripts/system-parts
	scripts/system-parts
	@touch $@

$(CASES): $(READY) benchmarks/monitor/apart.py benchmarks/monitor/apart_read.py
	$(BIN)/python -m benchmarks.monitor.apart
	@touch $@

demo: $(READY) ## lockgate's main job on real data, in about three minutes (make demo KEEP=1 leaves it running)
	$(BIN)/python -m examples.demo $(if $(KEEP),--keep)

test: $(SYSTEM) $(CASES) ## the whole suite: real servers, databases and a browser
	$(BIN)/pytest -n $(TEST_PROCESSES) --dist loadfile --no-loadscope-reorder -m "not faults and not frameworks"

test-faults: $(SYSTEM) $(CASES) ## hundreds of kills and long soaks (more than an hour)
	$(BIN)/pytest -m faults --timeout 3600

test-frameworks: $(READY) ## heavy frameworks in environments of their own (15 minutes, more while those are built)
	$(BIN)/pytest -m frameworks tests --timeout 3600

lint: $(READY) ## ruff, strict types, import layers, pins without addresses
	$(BIN)/ruff check src tests examples benchmarks
	$(BIN)/ruff format --check src tests examples benchmarks
	$(BIN)/mypy
	$(BIN)/lint-imports
	@! grep -n '://' requirements/* || { echo "requirements/ must not name an address"; exit 1; }

check: lint test ## lint and test

bench: $(READY) ## the gateway beside its peers
	$(BIN)/python -m benchmarks.gateway.bench

bench-release: $(READY) ## false rollbacks and delays beside fixed thresholds and repeated tests
	$(BIN)/python -m benchmarks.release.bench

bench-checks: $(READY) ## the checks beside their peers: time, false alarms, what is found
	$(BIN)/python -m benchmarks.checks.bench

bench-monitor: $(READY) ## what counting costs, and stretches of production played again
	$(BIN)/python -m benchmarks.monitor.bench
	$(BIN)/python -m benchmarks.monitor.replays
	$(BIN)/python -m benchmarks.monitor.alarms
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.monitor.seasons
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.monitor.through_cases

bench-log: $(READY) ## reading millions of records in constant memory; what encryption costs
	$(BIN)/python -m benchmarks.log.bench

bench-annotation: $(READY) ## labels needed when lockgate picks the rows, against chance
	$(BIN)/python -m benchmarks.annotation.bench

pins: $(READY) ## resolve the hashed requirement files again
	scripts/pins

clean: ## remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .cache .demo
