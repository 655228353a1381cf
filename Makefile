# Every target sets up what it needs. ARGS="..." is passed on.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
BENCH_STAMP := $(VENV)/.installed-bench
ARGS ?=

.PHONY: demo test check fmt validate bench-speed bench-replay bench-observer bench-calibration bench-plant bench-detection bench-tep bench-ledger bench-forecast bench-learned train clean
.DEFAULT_GOAL := demo

# Needs nothing but Python >= 3.11, pip and make: no root, no broker, no database, no torch.
demo: $(STAMP)
	PYTHONSAFEPATH=1 $(BIN)/potline demo $(ARGS)

# As root on Debian it installs the servers and the browser that the tests talk to.
test: $(DEV_STAMP)
	sh tests/install_servers.sh
	$(MAKE) check
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: $(DEV_STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	PYRIGHT_PYTHON_IGNORE_WARNINGS=1 $(BIN)/pyright --pythonpath $(BIN)/python

fmt: $(DEV_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Writes docs/validation.md; ARGS=--check compares instead.
validate: $(STAMP)
	$(BIN)/python -m benchmarks.validate $(ARGS)

# These write benchmarks/results/*.json and the tables of benchmarks/README.md. bench-speed needs a C compiler.
bench-speed: $(BENCH_STAMP)
	$(BIN)/python -m benchmarks.bench_speed

bench-replay: $(STAMP)
	$(BIN)/python -m benchmarks.bench_replay

# Fresh simulated lines, replayed and scored beside the null models; two hours of two cores. ARGS="--sets shift".
bench-detection: $(STAMP)
	$(BIN)/python -m benchmarks.bench_detection $(ARGS)

bench-tep: $(STAMP)
	$(BIN)/python -m benchmarks.bench_tep

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "potline needs Python 3.11 or newer; name it: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(STAMP): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[demo]'
	@touch $@

$(DEV_STAMP): $(STAMP) requirements-dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-dev.txt
	@touch $@

# How good and how honest the estimates are, on simulated lines; about ten minutes.
bench-observer: $(DEV_STAMP)
	$(BIN)/python -m benchmarks.observer_score $(ARGS)

# What self-calibration gains on days it has not seen, on simulated lines; about ten minutes.
bench-calibration: $(DEV_STAMP)
	$(BIN)/python -m benchmarks.calibration_score $(ARGS)

# The data card of the simulated line, plant/README.md; about a quarter of an hour. ARGS="--part traces" does one part.
bench-plant: $(BENCH_STAMP)
	$(BIN)/python -m benchmarks.plant_card $(ARGS)

# What the energy ledger costs, and how near it comes to the truth of simulated months; about half an hour.
bench-ledger: $(DEV_STAMP)
	$(BIN)/python -m benchmarks.bench_ledger $(ARGS)

# How good forecasts and what-ifs are and how often their bands hold, on simulated lines; about fifteen minutes.
bench-forecast: $(STAMP)
	$(BIN)/python -m benchmarks.forecast_score $(ARGS)
	$(BIN)/python -m benchmarks.whatif_score

# Do hybrid and learned models of the third-party simulator err in the published order: row 24; about five minutes.
bench-learned: $(STAMP)
	OPENBLAS_NUM_THREADS=1 $(BIN)/python -m benchmarks.learned_order $(ARGS)

# The shipped models from seeds: models/shipped; about an hour of one core. ARGS="--work DIR" keeps lines and tapes,
# ARGS="--work DIR --limits" fits only the limits again, which needs doing when a detector has changed.
train: $(STAMP)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train]'
	OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.train_shipped $(ARGS)

$(BENCH_STAMP): $(STAMP) requirements-bench.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -r requirements-bench.txt
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache build dist
