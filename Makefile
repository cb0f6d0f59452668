# `make tables` and `make test` each set everything up in .venv and then do their job.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: tables test lint kernels sanitize gpu gpu-there faults fuzz release lock clean

# All tables and figures, the appendix, and a report of how they were made; then where to look.
tables: $(VENV)/installed kernels
	$(BIN)/snakemake --cores all --report results/report.html --report-after-run
	@$(BIN)/cman summary

# Tests on a Slurm of their own wait for seconds that other tests would take from them: they run alone, at the end.
test: $(VENV)/installed kernels
	$(BIN)/pytest -n auto --dist worksteal -m "not slurm"
	$(BIN)/pytest -m slurm tests/workflow/test_slurm.py

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint

# A venv is made anew when the pinned versions change; a half-made one has no mark and is made again.
$(VENV)/installed: pyproject.toml setup.py constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "cman needs Python 3.11 or newer, found " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,lint,speed]'
	touch $@

# The compiled operations; without a compiler this says so and does nothing.
kernels: $(VENV)/installed
	mkdir -p build
	$(BIN)/python setup.py build_ext --inplace > build/kernels.log 2>&1
	grep "^cman kernels:" build/kernels.log

# The kernels' own C++ tests, those of CUDA in the emulation, under AddressSanitizer and UndefinedBehaviorSanitizer.
SANITIZED := -std=c++20 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -pthread -Icsrc

sanitize:
	mkdir -p build/sanitize
	$(CXX) $(SANITIZED) tests/csrc/crf_test.cpp csrc/crf/*.cpp csrc/simd/isa.cpp -o build/sanitize/crf
	build/sanitize/crf
	$(CXX) $(SANITIZED) tests/csrc/pairs_test.cpp csrc/pairs/*.cpp csrc/simd/isa.cpp -o build/sanitize/pairs
	build/sanitize/pairs
	$(CXX) $(SANITIZED) tests/csrc/lstm_test.cpp csrc/lstm/*.cpp csrc/simd/isa.cpp -o build/sanitize/lstm
	build/sanitize/lstm
	$(CXX) $(SANITIZED) -Wno-unknown-pragmas -x c++ tests/csrc/crf_cuda_test.cpp -o build/sanitize/crf-cuda
	build/sanitize/crf-cuda
	$(CXX) $(SANITIZED) -Wno-unknown-pragmas -x c++ tests/csrc/pairs_cuda_test.cpp -o build/sanitize/pairs-cuda
	build/sanitize/pairs-cuda

# What only a GPU can tell about the kernels, into build/gpu; asked before anything is installed.
gpu-there:
	@nvidia-smi -L > /dev/null 2>&1 || { echo "make gpu: found no NVIDIA GPU, wanted a machine with one and nvcc"; exit 1; }

gpu: gpu-there $(VENV)/installed
	$(BIN)/python -m tests.device build/gpu

# Every verb with system calls that fail, write less than asked, or are the last: nothing silent, every rerun right.
faults: $(VENV)/installed
	mkdir -p build
	$(CC) -O1 -shared -fPIC tests/faults/faults.c -o build/faults.so -ldl
	OMP_NUM_THREADS=1 LD_PRELOAD=$(CURDIR)/build/faults.so $(BIN)/python -u -m tests.faults.faults

# Mutated files for every reader, and every kernel beside its definition; the seeds stand in the tests.
fuzz: $(VENV)/installed
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -s tests/fuzz --mutations 3000 --cases 5000

# What a reader of the paper checks, in one archive: records, the model, the tables and figures made from the records, the
# pages and configurations about them, versions with hashes, and the SHA-256 of every file in SHA256SUMS.
RELEASE := build/release
KEPT := CITATION.cff LICENSE README.md CHANGELOG.md constraints.txt requirements.lock config docs models results/record

release: $(VENV)/installed kernels
	rm -rf $(RELEASE)
	mkdir -p $(RELEASE)/made/results $(RELEASE)/cman/results
	ln -s $(CURDIR)/results/record $(RELEASE)/made/results/record
	$(BIN)/snakemake --cores all --directory $(RELEASE)/made --config record=true --configfile config/conll04.yaml
	cp -r --parents $(KEPT) $(RELEASE)/cman
	cd $(RELEASE)/made/results && cp -r figures tables.* appendix.* browser.* $(CURDIR)/$(RELEASE)/cman/results
	cd $(RELEASE)/cman && find . -type f ! -name SHA256SUMS -print0 | LC_ALL=C sort -z | xargs -0 sha256sum > SHA256SUMS
	tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C $(RELEASE) -cf - cman | gzip -n > build/cman-release.tar.gz
	sha256sum build/cman-release.tar.gz

# After a change of constraints.txt; needs uv, which nothing else here does. No index has the build of torch for processors.
TORCH_CPU := 6746dbcbeb526eb61330b76b41ff1b4eb848951103a892eeb080dfa2b264667b
PINNED := --no-deps --generate-hashes --no-header --no-annotate --python-version 3.11

lock:
	mkdir -p build
	uv pip compile $(PINNED) --quiet --no-config constraints.txt -o build/pinned.lock
	grep '^#' requirements.lock > build/requirements.lock
	sed '/^torch==/a\    --hash=sha256:$(TORCH_CPU) \\' build/pinned.lock >> build/requirements.lock
	mv build/requirements.lock requirements.lock

clean:
	rm -rf $(VENV) build *.egg-info .snakemake cman/_C.*
