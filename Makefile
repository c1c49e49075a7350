# Everything here sets up what it needs in .venv by itself; the second time is quick.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
DEMO_READY := $(VENV)/.demo-ready
# One worker more than there are cores where time counts, two: some tests wait for somebody. Who has nothing left takes from
# the others.
PYTEST := $(BIN)/python -m pytest -n 3 --dist worksteal
# Else every worker and every broker that a test starts would compile all modules anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup test explore check demo bench bench-streams bench-groups bench-queues scale torture simulate simulate-faults differential \
	conformance interop budget lock clean

help:
	@echo "make demo          a ride-sharing service: a broker, a city, three stream apps, and a page to watch it"
	@echo "make test          all tests"
	@echo "make check         ruff, mypy --strict, the import contracts, the quick tests"
	@echo "make explore       the property tests with new examples; streams beside SQL (SEEDS)"
	@echo "make torture       power cuts, simulated brokers, kill -9 of a real one, a stream app, a queue (SEEDS, WORLDS, KILLS)"
	@echo "make simulate      a whole broker on virtual time: SEED repeats one run, SEEDS looks through many (STEPS)"
	@echo "make simulate-faults  plants faults in the broker and finds them in simulation (SEEDS)"
	@echo "make differential  the same scenarios against Apache Kafka and Drave, compared (SEEDS)"
	@echo "make conformance   real clients of several languages, and Kafka's own tools (ONLY)"
	@echo "make interop       Kafka Streams, Flink, Connect, MirrorMaker, killed with their broker (ONLY, KILLS)"
	@echo "make bench         Drave and Apache Kafka in turn in one run (ROUNDS)"
	@echo "make bench-streams Drave Streams, quixstreams, faust, bytewax and Kafka Streams, in turn (RECORDS, ROUNDS)"
	@echo "make bench-groups  time until groups have come together, beside Apache Kafka (ARGS)"
	@echo "make bench-queues  deliveries a second of share groups, beside Apache Kafka (ROUNDS)"
	@echo "make scale         what very many partitions, producers and keys cost (ARGS)"
	@echo "make budget        what a request costs in instructions, bytes and calls"
	@echo "make setup, lock, clean"
	@echo "Everything sets up what it needs in .venv by itself. CONTRIBUTING.md says more."

setup: $(READY)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "Drave needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12")'
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python has no venv module. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

test: $(READY)
	$(PYTEST) $(ARGS)

# The property tests with new examples each time; what fails is printed with the line that repeats it.
explore: $(READY)
	EXPLORE=1 WIRE_EXAMPLES=40 $(PYTEST) -m "not slow" $(ARGS)
	$(BIN)/python -m tests.streams.reference $(or $(SEEDS),100)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(PYTEST) -m "not slow" $(ARGS)

# A ride-sharing service on streams, and its page (PORT). TRIPS=file.csv replays real trips; SECONDS=30 ends by itself;
# VERIFY=1 kills every part, again and again (KILLS), and checks every result.
demo: $(DEMO_READY)
	@$(BIN)/python -m examples.rides $(if $(TRIPS),--trips "$(TRIPS)") $(if $(SPEED),--speed $(SPEED)) $(if $(SECONDS),--seconds $(SECONDS)) $(if $(PORT),--port $(PORT)) $(if $(VERIFY),--verify) $(if $(KILLS),--kills $(KILLS)) $(ARGS)

$(DEMO_READY): $(READY) examples/rides/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r examples/rides/requirements.lock
	@touch $@

# Drave and Apache Kafka in turn; needs Java 17, and Maven or KAFKA_LIB, a folder with Kafka's jars.
bench: $(READY)
	$(BIN)/python -m bench $(if $(ROUNDS),--rounds $(ROUNDS)) $(ARGS)

# Stream engines in turn on one broker; those that are not here are installed apart, or skipped with the reason.
# ARGS="--publish docs" keeps the result and its picture; --only, --job and --guarantee choose.
bench-streams: $(READY)
	$(BIN)/python -m bench.streams $(if $(RECORDS),--records $(RECORDS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(ARGS)

# Very many partitions, producers and keys: time, memory, and how long somebody else waits meanwhile.
scale: $(READY)
	$(BIN)/python -m bench.scale $(ARGS)

# Groups of 10, 100 and 1,000 members on Drave and Apache Kafka in turn: time until everybody has its part.
# ARGS="--of streams" takes streams groups.
bench-groups: $(READY)
	$(BIN)/python -m bench.groups $(ARGS)

# Records that members of share groups take and accept a second, on Drave and Apache Kafka in turn.
bench-queues: $(READY)
	$(BIN)/python -m bench.queues $(if $(ROUNDS),--rounds $(ROUNDS)) $(ARGS)

# The same scenarios against Apache Kafka and Drave, compared; needs Java 17, as the bench does. SEEDS random ones too.
differential: $(READY)
	$(BIN)/python -m differential --seeds $(or $(SEEDS),100) $(ARGS)

# Real clients against Drave; what is not on this machine is skipped with the reason. ONLY=java for one of them.
conformance: $(READY)
	$(BIN)/python -m conformance $(if $(ONLY),--only $(ONLY)) $(ARGS)

# Whole programs that were written for Kafka, killed together with their broker; needs Java 17 and Maven. ONLY=words, say.
interop: $(READY)
	$(BIN)/python -m interop $(if $(ONLY),--only $(ONLY)) $(if $(KILLS),--kills $(KILLS)) $(ARGS)

# What a request costs in instructions, bytes and calls, beside its budget; ARGS=--accept writes the counts down.
budget: $(READY)
	$(BIN)/python -m tests.budget $(ARGS)

# Power cuts in the simulated disk (SEEDS, and as many under compaction), whole brokers in simulation (WORLDS), kill -9 of
# a real broker under load from real clients (KILLS), of a stream app and of a queue with it: tens of thousands, for an hour
# or two. `python -m torture.streams --against kafka` takes Apache Kafka.
torture: $(READY)
	$(BIN)/python -m torture $(if $(SEEDS),--seeds $(SEEDS)) $(if $(WORLDS),--worlds $(WORLDS)) $(if $(KILLS),--kills $(KILLS)) $(ARGS)
	$(BIN)/python -m torture.streams $(if $(KILLS),--kills $(KILLS)) --standby 1
	$(BIN)/python -m torture.streams $(if $(KILLS),--kills $(KILLS)) --guarantee at_least_once
	$(BIN)/python -m torture.shares $(if $(KILLS),--kills $(KILLS))

# One seed's run, exactly as it was; SEEDS of them from SEED on, over all processors; ARGS=--trace prints what happens.
simulate: $(READY)
	$(BIN)/python -m simulation $(or $(SEED),0) $(if $(SEEDS),--seeds $(SEEDS)) $(if $(STEPS),--steps $(STEPS)) $(ARGS)

# Faults planted in the real code, one at a time: within how many SEEDS is each found? Writes docs/simulation.md.
simulate-faults: $(READY)
	$(BIN)/python -m simulation --hunt docs/simulation.md --seeds $(or $(SEEDS),100) $(if $(STEPS),--steps $(STEPS)) $(ARGS)

lock:
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links --group dev pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-annotate --no-header --no-emit-index-url --no-emit-find-links -c requirements.lock examples/rides/requirements.in -o examples/rides/requirements.lock

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .import_linter_cache .hypothesis
