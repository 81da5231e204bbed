# Tessera: `make run` labels the example on this machine, with simulated workers; `make label`: with you.
PYTHON ?= python3
BIN := .venv/bin
SHELL := /bin/bash -o pipefail
# Names the package that pip is at, on one line, instead of three lines for each.
PACKAGE_NAMES := awk '/^(Collecting|Obtaining|Building|Installing)/ { printf "\r\033[K  %.70s", $$0; fflush() } END { printf "\r\033[K" }'
# Containers often set it; every process of the tests would then compile the modules anew.
unexport PYTHONDONTWRITEBYTECODE
# Without a pip of its own; modules are compiled when they are first used, which few of them are.
INTO_SAM := $(BIN)/python -m pip --python .venv-sam/bin/python install --disable-pip-version-check
.DEFAULT_GOAL := help
.PHONY: help environment running run label up down quick test check format types lint docs bench build generated page packages grants transcript smoke smoke-transcript audit clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

environment: .venv/developer .venv-sam/developer ## install what developing Tessera needs, beside the code
.venv/developer: .venv/ready
	@echo "Installing what tests and checks need …"
	@$(BIN)/python -m pip install --disable-pip-version-check --editable '.[local,dev,embed]' --constraint constraints.txt | $(PACKAGE_NAMES)
	@touch $@

running: .venv/ready .venv-sam/ready ## install what running Tessera needs, and no more
.venv/ready: pyproject.toml constraints.txt
	@echo "Making the environment in .venv (a minute or two, once) …"
	@$(PYTHON) -c 'import sys; sys.exit("Tessera needs Python 3.11 or newer; this is %d.%d. Try: make PYTHON=python3.13 …" % sys.version_info[:2] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --disable-pip-version-check --no-compile --editable '.[local]' --constraint constraints.txt | $(PACKAGE_NAMES)
	@touch $@
.venv-sam/ready: sam-requirements.txt | .venv/ready
	@echo "Making the SAM CLI's environment in .venv-sam …"
	@$(PYTHON) -m venv --without-pip .venv-sam
	@$(INTO_SAM) --no-deps --no-compile --requirement sam-requirements.txt | $(PACKAGE_NAMES)
	@touch $@
.venv-sam/developer: sam-lint-requirements.txt .venv-sam/ready
	@$(INTO_SAM) --constraint sam-requirements.txt --requirement sam-lint-requirements.txt | $(PACKAGE_NAMES)
	@touch $@

# pyenv's own python3.13 answers only where that version is chosen.
PYTHON313 ?= $(firstword $(wildcard $(HOME)/.pyenv/versions/3.13*/bin/python3.13) python3.13)
.venv-asl/ready: asl-requirements.txt
	@echo "Making the environment of the second interpreter in .venv-asl (some minutes, once) …"
	@$(PYTHON313) -m venv .venv-asl
	@.venv-asl/bin/python -m pip install --quiet --disable-pip-version-check --requirement asl-requirements.txt
	@npm install --silent --no-audit --no-fund --prefix .venv-asl jsonata@2.0.6
	@touch $@

run: running ## label the example from start to finish with simulated workers
	@$(BIN)/tessera run

label: running ## the same, and the worker is you, in the browser
	@$(BIN)/tessera label

up: running ## start the local stack
	@$(BIN)/tessera up

down: running ## stop the local stack; what it holds is kept
	@$(BIN)/tessera down

WITHIN := not slow and not stack and not browser and not docker
quick: environment ## run the tests that are done at once, without browser and stack: under a minute on two cores
	@$(BIN)/pytest -n 2 --dist loadgroup --hypothesis-profile quick -m "$(WITHIN) and not thorough"

test: environment ## run all that needs neither, and a few in Chromium and on the stack: under three minutes
	@$(BIN)/pytest -n 2 --dist loadgroup --hypothesis-profile quick -m "($(WITHIN)) or smoke"

check: environment format types lint docs ## all that CI checks, and with it every test
	@$(BIN)/pytest -n 2 --dist loadgroup

format:
	@$(BIN)/ruff format --check .
types:
	@$(BIN)/mypy
lint:
	@$(BIN)/ruff check .
	@SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .venv-sam/bin/sam validate --lint
	@SAM_CLI_TELEMETRY=0 AWS_DEFAULT_REGION=us-east-1 .venv-sam/bin/sam validate --lint --template monitoring.yaml
docs:
	@$(BIN)/cog -I . --check -r README.md docs/*.md

bench: environment ## measure everything, or NAMES='grouping scale …', and write benchmarks/RESULTS.md
	@$(BIN)/python benchmarks/run.py $(NAMES)

build: environment ## build the functions as Lambda gets them (needs Python 3.13)
	@SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam build

generated: environment ## write anew what is made from the sources: schema, events, monitoring, docs
	@$(BIN)/python -m scripts.schema > docs/labeling.schema.json
	@$(BIN)/python events/record.py >/dev/null
	@$(BIN)/python -m scripts.monitoring
	@$(BIN)/python -m tests.statemachine.faults
	@$(BIN)/cog -I . -r README.md docs/*.md

page: environment ## build the worker's page of ui/tiles (needs Node.js)
	@$(BIN)/python -m scripts.worker_page

# Compiled for each processor, which fails where a package has no wheel for Lambda's glibc. The hashes are those of
# all wheels, so the second turn, which keeps the first one's pins, writes the same file.
packages: .venv-packages/ready ## pin what Lambda and the SAM CLI install, with licenses and bill of materials
	@.venv-packages/bin/uv pip compile --quiet --universal --python-version 3.11 --no-annotate \
	    --excludes sam-lint-requirements.txt --custom-compile-command 'make packages' \
	    --output-file sam-requirements.txt sam-requirements.in
	@rm -f functions/requirements.txt encoder/requirements.txt
	@for processor in x86_64 aarch64; do .venv-packages/bin/uv pip compile --quiet --generate-hashes \
	    --only-binary :all: --python-version 3.13 --python-platform $$processor-manylinux_2_34 \
	    --custom-compile-command 'make packages' --output-file functions/requirements.txt \
	    functions/requirements.in || exit; \
	  .venv-packages/bin/uv pip compile --quiet --no-deps --generate-hashes \
	    --only-binary :all: --python-version 3.13 --python-platform $$processor-manylinux_2_34 \
	    --custom-compile-command 'make packages' --output-file encoder/requirements.txt \
	    encoder/requirements.in || exit; done
	@.venv-packages/bin/uv venv --quiet --clear .venv-packages/lambda
	@.venv-packages/bin/uv pip install --quiet --python .venv-packages/lambda --require-hashes \
	    --requirement functions/requirements.txt
	@.venv-packages/bin/cyclonedx-py environment --output-reproducible --spec-version 1.6 \
	    --pyproject pyproject.toml --output-file docs/sbom.cdx.json .venv-packages/lambda
	@$(BIN)/cog -I . -r docs/licenses.md

grants: environment ## take every grant away in turn, with IAM enforced, and write docs/grants.md
	@$(BIN)/python tests/cloud/grants.py

transcript: environment ## deploy with IAM enforced, run the example, and write docs/local-deployment.md
	@$(BIN)/python tests/cloud/transcript.py

smoke: environment ## deploy under a throw-away name, label 20 pictures, check, delete: PROFILE=NAME REGION=… on AWS
	@$(BIN)/python -m scripts.smoke --profile "$(PROFILE)" $(if $(REGION),--region $(REGION)) $(if $(YES),--yes)

smoke-transcript: environment ## the same against the embedded AWS, and write docs/smoke-test.md
	@$(BIN)/python -m scripts.smoke --transcript

audit: .venv-packages/ready ## look the functions' packages up in the vulnerability database (needs the internet)
	@for folder in functions encoder; do .venv-packages/bin/pip-audit --require-hashes --disable-pip \
	    --requirement $$folder/requirements.txt || exit; done
.venv-packages/ready: packages-requirements.txt
	@$(PYTHON) -m venv .venv-packages
	@.venv-packages/bin/python -m pip install --quiet --disable-pip-version-check --requirement packages-requirements.txt
	@touch $@

clean: down ## forget the local stack with all its runs, and the environments
	@if [ -d .tessera ] && [ "$(YES)" != 1 ]; then \
	    printf "This deletes every run, label and account of the local stack in .tessera. Type yes to go on: "; \
	    read answer; [ "$$answer" = yes ] || { echo "Nothing is deleted."; exit 1; }; fi
	@rm -rf .tessera .venv .venv-sam .venv-asl .venv-packages .aws-sam build out
