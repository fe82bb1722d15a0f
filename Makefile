# Everything a person does with this project; `make help` lists it.

.DEFAULT_GOAL := help

PYTHON ?= python3
EVENT ?= events/manual-full.json
CONFIG ?=
FLEET ?= sample
DAYS ?= 1
OUT ?= .local
REPEATS ?= 3
QUICK ?=
ONLY ?=
COUNT ?= 10000
UPGRADE ?=
SECONDS ?= 60
CHROMIUM ?=

# For `make check` and `make build`: the SAM CLI phones home unless told not to.
export SAM_CLI_TELEMETRY := 0
export AWS_DEFAULT_REGION ?= us-east-1
# The CAs that pip and the rest of the machine trust, a company's own among them.
export UV_SYSTEM_CERTS := 1

VENV := .venv
SAM_VENV := .venv-sam
E2E_VENV := .venv-e2e
AWSCLI_VENV := .venv-awscli
BENCH_VENV := .venv-bench
SECURITY_VENV := .venv-security
GUARD_VENV := .venv-guard
SBOM_VENV := .venv-sbom
SHIPS_VENV := .venv-ships
CLI_VENV := .venv-cli
WHEEL_VENV := .venv-wheel
FUZZ_VENV := .venv-fuzz
MUTANTS_VENV := .venv-mutants
BIN := $(VENV)/bin
SECURITY_BIN := $(SECURITY_VENV)/bin
SAM := $(SAM_VENV)/bin/sam
# The function's Python: on the PATH, or one that pyenv keeps. Looked for only where it is needed.
PYTHON313 ?= $(firstword $(shell python3.13 -c 'import pip, sys; print(sys.executable)' 2>/dev/null) \
	$(wildcard $(shell pyenv root 2>/dev/null)/versions/3.13.*/bin/python3.13))
# The browser that looks at the page: yours, or one on the PATH. Looked for only where it is needed.
BROWSERS = $(or $(CHROMIUM),chromium chromium-browser google-chrome)
BROWSER = $(firstword $(foreach name,$(BROWSERS),$(shell command -v $(name))))
NO_BROWSER = echo "No browser: $(BROWSERS) on the PATH, or make CHROMIUM=/path/to/it ..."; exit 1
WITH_BROWSER = $(if $(BROWSER),CHROMIUM='$(BROWSER)',{ $(NO_BROWSER); };)
# Two for each of two cores: some tests wait for a server that answers late. Each process collects
# all tests: twice as fast from the bytecode that pytest keeps, if it may.
PYTEST := env -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest --numprocesses 4 --dist worksteal
# Extras stay in the lists: an older pip takes coverage[toml] for another package than coverage,
# and refuses the newest release of it as not pinned.
UV_COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-strip-extras \
	--custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)

NEW_ENOUGH = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo "Python 3.11 or newer is needed: make PYTHON=python3.13 ..."; exit 1; }

.PHONY: help run cli test check browser browsed picture covered e2e python313 histories mutants fuzz \
	security pip-audit sbom wheel bench bench-docs lint types template lock schemas readme documents \
	release faults verify build clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## /  make \1\t/' | expand -t 18
	@echo
	@echo "  make run EVENT=events/one-instance.json FLEET=degraded OUT=/tmp/audit"
	@echo "    EVENT  the event that the function gets   ($(EVENT))"
	@echo "    FLEET  sample, healthy, degraded, large, huge, bad; locked-out, throttling, limited,"
	@echo "           stalling, hung, hung-504, resetting, maintained, dying; discovered, changing  ($(FLEET))"
	@echo "    (discovered: a foundation of 200 under rules, excludes and labels; run it twice)"
	@echo "    DAYS   how many days are audited, today last; changing and 21 make the README's picture ($(DAYS))"
	@echo "    CONFIG a configuration of yours, for a foundation that has its instances"
	@echo "    OUT    where bucket and messages are left ($(OUT))"
	@echo
	@echo "  make bench REPEATS=5"
	@echo "  make bench QUICK=1      few cases, one round: to see that it works"
	@echo "  make bench ONLY='fan-out lambda-cpu'    some sections; figures of the others stay"

run: $(VENV)/ready ## run the function against a cloud on this machine
	@$(BIN)/python -m tools.local_cloud --event '$(EVENT)' --fleet '$(FLEET)' --days '$(DAYS)' --out '$(OUT)' \
		$(if $(CONFIG),--config '$(CONFIG)')

cli: $(CLI_VENV)/ready ## set up the command line and nothing else: .venv-cli/bin/backup-audit
	@$(CLI_VENV)/bin/backup-audit --help | head -n 12

verify: $(VENV)/ready ## compare the reports in OUT, or in an s3://bucket, with their sha256
	@$(BIN)/backup-audit verify '$(OUT)'

test: $(VENV)/ready ## run the tests but for those marked exhaustive
	$(PYTEST) -m 'not exhaustive'
	@echo "Left out: the rest of many cases, and long ones, marked exhaustive. make check tries them, too."

check: ## run everything that CI runs, whatever fails first
	@$(MAKE) --keep-going --no-print-directory lint types template security sbom wheel covered browsed

browser: ## say which Chromium looks at the page; root on Debian gets one if there is none
	@$(if $(BROWSER)$(CHROMIUM),true,test "$$(id -u)" != 0 || ! command -v apt-get >/dev/null || \
		{ apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes --no-install-recommends chromium; } >/dev/null)
	@for name in $(BROWSERS); do command -v $$name && exit; done; $(NO_BROWSER)

browsed: $(VENV)/ready # the page in a browser; `make test` goes without
	@$(WITH_BROWSER) $(BIN)/pytest --numprocesses 2 --override-ini 'norecursedirs=.*' tests/browser

picture: $(VENV)/ready ## draw docs/report.png, the first screen of a report; needs a Chromium
	@$(WITH_BROWSER) $(BIN)/python -m tools.picture

covered: $(VENV)/ready # the tests, and whether they cover the code
	$(PYTEST) --cov --cov-report term-missing --cov-fail-under 99

e2e: $(VENV)/ready $(SAM_VENV)/ready $(AWSCLI_VENV)/ready $(E2E_VENV)/ready ## deploy to an AWS on this machine and try it; needs a Python 3.13
	$(BIN)/pytest --override-ini 'norecursedirs=.*' tests/e2e

python313: # the Python that `make e2e` would take; nothing if there is none
	@echo $(PYTHON313)

histories: $(VENV)/ready ## try the life of an alert in COUNT random histories, beside a model (5 minutes)
	@PYTHONPATH=src $(BIN)/python -m tools.histories --count $(COUNT)

mutants: $(MUTANTS_VENV)/ready ## change the rules, and see that the tests notice (an hour)
	@env -u PYTHONDONTWRITEBYTECODE PATH="$(CURDIR)/$(MUTANTS_VENV)/bin:$$PATH" python -m tools.mutants

fuzz: $(FUZZ_VENV)/ready ## look for inputs that break a rule, SECONDS for each target; Linux, Python 3.11 to 3.13
	@PYTHONPATH=src $(FUZZ_VENV)/bin/python -m tools.fuzz --seconds $(SECONDS)

bench: $(BENCH_VENV)/ready ## measure speed, CPU and memory beside other clients, and on bad days (50 minutes); needs nginx, Chromium
	@PYTHONPATH=src $(BENCH_VENV)/bin/python -m tools.bench --repeats $(if $(QUICK),1 --quick,$(REPEATS)) \
		$(if $(ONLY),--only $(ONLY))

bench-docs: $(BENCH_VENV)/ready ## draw what make bench measured: docs/benchmark.md
	@PYTHONPATH=src $(BENCH_VENV)/bin/python -m tools.bench.docs

lint: $(VENV)/ready ## check style, and which folder imports which
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports --no-cache --no-logo

types: $(VENV)/ready ## check types
	$(BIN)/mypy

template: $(VENV)/ready $(SAM_VENV)/ready ## check the template
	$(BIN)/cfn-lint template.yaml
	$(SAM) validate --lint --template template.yaml

security: $(SECURITY_VENV)/ready $(GUARD_VENV)/ready ## check template, code and workflow for what lets somebody in
	$(SECURITY_BIN)/checkov --quiet --compact --skip-download --framework cloudformation --file template.yaml
	$(GUARD_VENV)/bin/python -m tools.guard
	$(SECURITY_BIN)/bandit --quiet --recursive src
	$(SECURITY_BIN)/zizmor --offline --quiet --persona pedantic .github

pip-audit: $(SECURITY_VENV)/ready ## look the pinned packages up among known vulnerabilities; asks PyPI
	for list in src/requirements.txt requirements/*.txt; do \
		echo "── $$list"; $(SECURITY_BIN)/pip-audit --strict --disable-pip --requirement $$list || exit 1; done

# Of an environment that holds what ships and nothing else: it knows who needs whom, and licences.
sbom: $(SBOM_VENV)/ready $(SHIPS_VENV)/ready ## write dist/sbom.cdx.json, a CycloneDX list of what ships to Lambda
	@mkdir -p dist
	@# Our version stands in the code, where the generator does not look.
	@sed "s/^dynamic = .*/version = \"$$($(BIN)/python -c 'import backup_audit as b; print(b.__version__)')\"/" \
		pyproject.toml > dist/pyproject.toml
	$(SBOM_VENV)/bin/cyclonedx-py environment $(SHIPS_VENV)/bin/python --pyproject dist/pyproject.toml \
		--output-reproducible --of JSON -o dist/sbom.cdx.json
	@$(BIN)/python -m tools.sbom dist/sbom.cdx.json

wheel: $(VENV)/ready ## build dist/*.whl, install it with its extra in an empty environment and run its commands
	rm -rf dist/*.whl $(WHEEL_VENV)
	$(BIN)/python -m hatchling build --target wheel
	$(PYTHON) -m venv --without-pip $(WHEEL_VENV)
	$(BIN)/uv pip install --quiet --python $(WHEEL_VENV)/bin/python --constraint requirements/cli.txt \
		"$$(ls dist/*.whl)[cli]"
	$(WHEEL_VENV)/bin/backup-audit verify tests/golden/today/bucket
	$(WHEEL_VENV)/bin/backup-audit evidence 2026-01-28 2026-01-29 tests/golden/today/bucket --html dist/evidence.html
	for command in try check run show evidence; do $(WHEEL_VENV)/bin/backup-audit $$command --help >/dev/null || exit 1; done

# Environments that hold our code hold the versions that ship; the others are by themselves.
lock: $(VENV)/ready ## pin what pyproject.toml states, with hashes; UPGRADE=1 takes the newest of everything
	$(UV_COMPILE) pyproject.toml -o src/requirements.txt
	$(UV_COMPILE) pyproject.toml --extra cli -c src/requirements.txt -o requirements/cli.txt
	$(UV_COMPILE) pyproject.toml --group dev -c src/requirements.txt -o requirements/dev.txt
	$(UV_COMPILE) pyproject.toml --group mutants -c requirements/dev.txt -o requirements/mutants.txt
	for name in bench fuzz; do \
		$(UV_COMPILE) pyproject.toml --group $$name -c src/requirements.txt -o requirements/$$name.txt || exit 1; done
	for name in awscli e2e guard sam sbom security; do \
		$(UV_COMPILE) --group $$name -o requirements/$$name.txt || exit 1; done

schemas: $(VENV)/ready ## write docs/schemas, and the columns of the tables, from the types
	$(BIN)/python -m tools.schemas docs/schemas
	$(BIN)/python -m tools.tables

readme: $(VENV)/ready ## write the generated parts of README.md and docs/
	$(BIN)/python -m tools.readme

documents: $(VENV)/ready ## write tests/golden/today: what a few runs write
	@$(BIN)/python -m tools.golden

release: $(VENV)/ready ## keep today's documents, schemas and events as those of this version, for ever
	@$(BIN)/python -m tools.golden --release

faults: $(VENV)/ready ## write docs/faults.md from what became of each fault
	$(BIN)/python -m tools.faults_page

build: $(SAM_VENV)/ready ## package the function; needs a python3.13 on the PATH
	$(SAM) build

clean: ## remove what the other targets made, except what a run left in .local
	rm -rf $(VENV) .venv-* .aws-sam dist mutants .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache

# `--without-pip` and `pip --python` also work where the system's Python came without ensurepip.
$(VENV)/ready: requirements/dev.txt
	@$(NEW_ENOUGH)
	@echo "Setting up $(VENV) (once: a minute or two, some 700 MB) ..."
	@$(PYTHON) -m venv --without-pip --clear $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check \
		--require-hashes --requirement requirements/dev.txt
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check \
		--no-deps --no-build-isolation --editable .
	@touch $@

$(CLI_VENV)/ready: requirements/cli.txt
	@$(NEW_ENOUGH)
	@echo "Setting up $(CLI_VENV) (once) ..."
	@$(PYTHON) -m venv --without-pip --clear $(CLI_VENV)
	@$(PYTHON) -m pip --python $(CLI_VENV)/bin/python install --quiet --no-compile --disable-pip-version-check \
		--require-hashes --requirement requirements/cli.txt
	@$(PYTHON) -m pip --python $(CLI_VENV)/bin/python install --quiet --no-compile --disable-pip-version-check \
		--no-deps --editable .
	@touch $@

$(SHIPS_VENV)/ready: src/requirements.txt $(VENV)/ready
	@$(PYTHON) -m venv --without-pip --clear $(SHIPS_VENV)
	@$(BIN)/uv pip install --quiet --python $(SHIPS_VENV)/bin/python --require-hashes --requirement $<
	@touch $@

# By uv: older pips refuse the extras of a pinned dependency in a list with hashes.
.venv-%/ready: requirements/%.txt $(VENV)/ready
	@echo "Setting up .venv-$* (once) ..."
	@$(PYTHON) -m venv --without-pip --clear .venv-$*
	@$(BIN)/uv pip install --quiet --python .venv-$*/bin/python --require-hashes \
		--requirement requirements/$*.txt
	@touch $@

$(E2E_VENV)/ready: requirements/e2e.txt $(VENV)/ready
	@test -n "$(PYTHON313)" || \
		{ echo "Python 3.13 with pip is needed: make PYTHON313=/path/to/python3.13 ..."; exit 1; }
	@echo "Setting up $(E2E_VENV) (once) ..."
	@$(PYTHON313) -m venv --without-pip --clear $(E2E_VENV)
	@$(BIN)/uv pip install --quiet --python $(E2E_VENV)/bin/python --require-hashes \
		--requirement requirements/e2e.txt
	@touch $@

