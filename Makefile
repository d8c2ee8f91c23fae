# Every target makes .venv itself when it is missing or older than what it is made from.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
# On all cores; the tests of a file stay together, since some share what took long to make.
TESTS := -m pytest --numprocesses logical --dist loadscope

.PHONY: demo test test-slow test-all test-latest lint docs format bench soak fuzz wheel clean

demo: $(READY)  ## paint characters with the trained agent, and a photograph with the planner
	$(BIN)/strokenet-gym demo

test: $(READY)  ## run the tests, but for the slow ones
	$(BIN)/python $(TESTS) -m "not slow"

test-slow: $(READY)  ## run the slow tests: what trains, compiles, installs or waits
	$(BIN)/python $(TESTS) -m slow

test-all: test test-slow  ## run all tests

test-latest:  ## run the tests with the newest versions of all that we need (torch is the pinned one)
	$(PYTHON) -m venv .venv-latest
	grep '^torch==' constraints.txt > .venv-latest/torch.txt
	.venv-latest/bin/python -m pip install --quiet --upgrade -c .venv-latest/torch.txt -e ".[dev]"
	.venv-latest/bin/python $(TESTS)

lint: $(READY)  ## check format, style and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(READY)  ## build the documentation, warnings being errors, to docs/_build/html
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going $(SPHINXOPTS) \
		-d docs/_build/doctrees docs docs/_build/html

format: $(READY)  ## bring the code into shape
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)  ## measure speed
	$(BIN)/python tests/benchmarks/bench.py
	$(BIN)/python tests/benchmarks/bench_sequences.py
	$(BIN)/python tests/benchmarks/bench_targets.py
	$(BIN)/python tests/benchmarks/bench_exports.py
	$(BIN)/python tests/benchmarks/bench_painter.py
	$(BIN)/python tests/benchmarks/bench_mypaint.py

soak: $(READY)  ## paint a million strokes, make and close environments, kill and interrupt processes
	$(BIN)/python tests/benchmarks/soak.py
	$(BIN)/python tests/benchmarks/interrupts.py

fuzz: $(READY)  ## try 100,000 inputs that nobody means, for forty minutes at most
	OPENCV_LOG_LEVEL=OFF $(BIN)/python tests/benchmarks/fuzz.py

wheel: $(READY)  ## build dist/*.tar.gz, and from that dist/*.whl
	$(BIN)/python -m build --no-isolation

clean:  ## remove the environment, caches and run outputs
	rm -rf .venv .venv-latest runs dist docs/_build .pytest_cache .ruff_cache .mypy_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

$(READY): constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	touch $@
