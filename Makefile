# make demo    set up, then search, rank and retrain on images that come with the install
# make test    set up, then linters, types and every test
# make chaos   set up, then kill searches in every way there is, and see that nothing is lost (an hour)
# make bench   set up, then the short form of the benchmarks of speed, each against the alternative in the same run

PYTHON ?= python3
UV     := $(or $(shell command -v uv),.tools/bin/uv)
BIN    := .venv/bin
DEMO   ?= demo-$(shell date +%Y%m%d-%H%M%S)

.PHONY: demo test chaos bench lint format lock clean

demo: .venv/ready
	$(BIN)/hpsearch launch --dataset digits --space cnn_all --samples 20 --epochs 8 --augment none --seed 1 --name $(DEMO)
	$(BIN)/hpsearch top $(DEMO)
	$(BIN)/hpsearch retrain $(DEMO) --top 3 --epochs 10

test: lint
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

# The same choices again: make chaos SEED=N.
chaos: .venv/ready
	code=0; \
	$(BIN)/python tests/chaos/kills.py $(if $(SEED),--seed $(SEED)) || code=1; \
	$(BIN)/python tests/chaos/bad_input.py $(if $(SEED),--seed $(SEED)) --out results/evidence/bad-input.csv || code=1; \
	exit $$code

# Where CIFAR-10 is on disk already: make bench IMAGES="--dataset FOLDER".
bench: .venv/ready
	$(BIN)/python benchmarks/startup.py --short
	$(BIN)/python benchmarks/augment.py --repeats 2
	$(BIN)/python benchmarks/step.py --short
	$(BIN)/python benchmarks/gpu.py --quick --families cnn5 --optimizers adam --batches 8 --epochs 1 --processes 2
	$(BIN)/python benchmarks/data.py --short
	$(BIN)/python benchmarks/gap.py --short
	$(BIN)/python benchmarks/trials.py --short
	$(BIN)/python benchmarks/end_to_end.py overhead --short $(IMAGES)
	$(BIN)/python benchmarks/end_to_end.py compute --short $(IMAGES)

lint: .venv/ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: .venv/ready
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The versions that everybody installs: names and versions only.
lock: $(UV)
	$(UV) pip compile -q --extra dev --no-header --no-annotate --no-emit-index-url --upgrade pyproject.toml -o requirements.txt

.venv/ready: pyproject.toml requirements.txt | $(UV)
	test -x $(BIN)/python || $(UV) venv --quiet --python $(PYTHON) .venv
	$(UV) pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.txt
	$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	touch $@

.tools/bin/uv:
	$(PYTHON) -m venv .tools
	.tools/bin/pip install --quiet uv

clean:
	rm -rf .venv .tools
