# Everything runs in .venv, made from the pinned requirements on first use.
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
READY := .venv/.ready
TOOLS := .venv/tools

.DEFAULT_GOAL := help
.PHONY: help demo compute dashboard report test lint bench drill audit lock

help: ## Say what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' Makefile

$(READY): requirements.lock
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "Contrast needs Python 3.11 or newer; name one: make PYTHON=python3.11")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@touch $(READY)

demo: $(READY) ## Compute the miniature into demo/ and show it at http://localhost:8501
	$(BIN)/python -m compute run --profile mini --results demo/results.duckdb --images demo/images --cache demo/cache
	CONTRAST_RESULTS=demo/results.duckdb CONTRAST_IMAGES=demo/images $(BIN)/streamlit run dashboard/app.py --server.port $(PORT)

compute: $(READY) ## Compute what is missing of results.duckdb; choose with ARGS="--profile gpu"
	$(BIN)/python -m compute run $(ARGS)

dashboard: $(READY) ## Show the published results.duckdb
	$(BIN)/streamlit run dashboard/app.py --server.port $(PORT)

report: $(READY) ## Write what the dashboard shows into report.html, which opens anywhere; choose with ARGS="--results FILE"
	$(BIN)/python -m dashboard.report $(ARGS)

test: $(READY) ## Run all tests
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder

lint: $(READY) ## Run ruff, mypy and import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY) ## Measure the figures of speed in the README, but for a cluster's
	$(BIN)/python -m benchmarks.metric_pass
	$(BIN)/python -m benchmarks.page_load
	$(BIN)/python -m benchmarks.imagenet_results
	$(BIN)/python -m benchmarks.imagenet_pages
	$(BIN)/python -m benchmarks.prediction_pass
	$(BIN)/python -m benchmarks.zero_shot_weights
	$(BIN)/python -m benchmarks.retrieval_pass
	$(BIN)/python -m benchmarks.training_step

drill: $(READY) ## Break it on purpose and print what came of it
	$(BIN)/python -m drills

$(TOOLS)/.ready: requirements-tools.lock
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-tools.lock
	@touch $@

audit: $(TOOLS)/.ready ## Ask for known vulnerabilities of all packages
	$(TOOLS)/bin/python .ci/audit.py requirements.lock requirements-tools.lock

lock: $(TOOLS)/.ready ## Write the lock files after requirements.txt was changed
	for name in requirements requirements-tools; do $(TOOLS)/bin/uv pip compile $$name.txt --output-file $$name.lock --quiet \
		--universal --python-version 3.11 --generate-hashes --default-index https://pypi.org/simple \
		--custom-compile-command "make lock" || exit 1; done
