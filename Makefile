# Two commands do everything from a fresh clone: `make demo` and `make test`.
BIN := .venv/bin

# Benchmarks write build/bench/NAME.json.
.PHONY: demo test test-quick check lint e2e e2e-short crash crash-strace machines bench docs screenshots recording dist collection packages sources sign feed images setup clean

# Everything; setup-base, setup-demo, setup-docs and setup-lint install only what such a target needs.
setup:
	@scripts/setup.sh

setup-%:
	@scripts/setup.sh $*

demo: setup-demo
	@$(BIN)/python -m tests.testbed demo

# What it takes to trust a change. The images first: no test has to wait for them. Files begin in order, those on a
# testbed first. Half of the time of a file is waiting, so there are twice as many at a time as cores.
test: setup
	@$(BIN)/python -m tests.testbed images >/dev/null
	@$(BIN)/pytest -m "core or not (e2e or long or machine)" -n 4 --dist loadscope --no-loadscope-reorder

# The tests of the packages that a change is in, in a minute: `make test-quick FILES="…"`, or what differs from HEAD.
test-quick: setup
	@$(BIN)/python -m scripts.develop.check --quick $(if $(SINCE),--since $(SINCE)) $(FILES)

# What a change touches, in a few minutes: `make check FILES="…"`, or without FILES what differs from HEAD; with
# SINCE=main also what the commits of this branch changed.
check: setup
	@$(BIN)/python -m scripts.develop.check $(if $(SINCE),--since $(SINCE)) $(FILES)

# Files on a testbed run in the order of tests/e2e/conftest.py.
e2e-short: setup
	@$(BIN)/python -m tests.testbed images >/dev/null
	@$(BIN)/pytest -m "e2e and not long and not core" -n 2 --dist loadfile --no-loadscope-reorder

# Most of it waits for servers, so there are more of them than cores. Writes the outcomes of all attacks into
# docs/evidence/attacks.md.
e2e: setup
	@$(BIN)/python -m tests.testbed images >/dev/null
	@rm -rf build/attack
	@$(BIN)/pytest -m "e2e or long or attack" -n 4 --dist loadfile --no-loadscope-reorder
	@$(BIN)/python -m scripts.docs.attack_table

crash: setup
	@mkdir -p build/crash
	@find build/crash -name '*.jsonl' ! -name strace.jsonl -delete
	@$(BIN)/pytest -p tests.crash.plugin -m "not e2e" --kill-points all --kill-pairs 1000 -n 2 tests/crash/test_kill.py tests/crash
	@$(BIN)/pytest -p tests.crash.plugin -m e2e --kill-points all tests/crash
	@$(BIN)/python -m tests.crash.report

crash-strace: setup
	@$(BIN)/python -m tests.crash.strace
	@$(BIN)/python -m tests.crash.report

# Whole machines, two in user mode at a time; CUTS power cuts on each file system: 23 are one in each command. Writes
# what was seen into docs/evidence/reliability.md, whatever the outcome.
machines: setup
	@$(BIN)/python -m tests.testbed images >/dev/null
	@rm -rf build/machines
	@$(BIN)/pytest -m machine -n 2 --dist loadscope --no-loadscope-reorder --cuts $(or $(CUTS),23) tests/machines; code=$$?; \
	$(BIN)/python -m tests.machines.report; exit $$code

bench: setup
	@$(BIN)/python -m tests.bench

lint: setup-lint
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@mkdir -p build/ansible_collections/mstunnel && ln -sfn ../../../ansible build/ansible_collections/mstunnel/gateway
	@cd ansible && PATH="$(CURDIR)/.venv-ansible/bin:$$PATH" ANSIBLE_HOME=$(CURDIR)/build/ansible \
		ANSIBLE_COLLECTIONS_PATH=$(CURDIR)/build ansible-lint -q
	@grep --recursive --files-with-matches --line-regexp --regexp='#!/bin/\(ba\)\?sh' images packaging scripts tests/bench .ci | xargs shellcheck --external-sources

# The reference pages that follow from the code, the JSON schemas, then the site of all pages in build/site.
docs: setup-docs
	@$(BIN)/python -m scripts.docs.site

# The recording in README: a person's installation at a real terminal.
recording: setup
	@$(BIN)/python -m tests.testbed images >/dev/null
	@$(BIN)/pytest --recording docs/images tests/e2e/test_walk.py -k 'two_files or japanese'

# The pictures of the documentation, as the tests of the pages see them.
screenshots: setup
	@$(BIN)/python -m tests.testbed images >/dev/null
	@$(BIN)/pytest --screenshots docs/images tests/browser tests/e2e/test_admin_center.py

dist: setup-base
	@$(BIN)/python -m scripts.bundle.dist

# The Ansible collection.
collection: setup-lint
	@.venv-ansible/bin/ansible-galaxy collection build ansible --output-path dist --force

# The same program as packages of Debian and RPM.
packages: dist
	@$(BIN)/python -m scripts.bundle.packages

# The source of what copyleft licences in `dist` ask for: after `make images` and `make packages`.
sources: setup-base
	@$(BIN)/python -m scripts.release.sources

# A signature over the checksums of all that is in dist/, with a key of minisign that is kept elsewhere: the one of
# packaging/publisher.toml.
sign:
	@test -n "$(SIGN_KEY)" || { echo 'sign: give SIGN_KEY=FILE, the secret key of minisign' >&2; exit 2; }
	@cd dist && sha256sum --check --quiet --strict SHA256SUMS
	@python3 -m scripts.release.publisher
	@minisign -S -s "$(abspath $(SIGN_KEY))" -m dist/SHA256SUMS
	@python3 -m scripts.release.publisher dist/SHA256SUMS

# The release feed in FEED_DIR, signed with the keys in KEYS: the releases.toml beside it, and what is in dist/.
# RENEW_ROOT=yes adds the next root, with both keys.
feed: setup-base
	@test -n "$(FEED_DIR)" -a -n "$(KEYS)" || { echo 'feed: give FEED_DIR=DIR and KEYS=DIR' >&2; exit 2; }
	@$(BIN)/python -m scripts.release.feed $(FEED_DIR) --catalogue $(dir $(FEED_DIR:/=))releases.toml --keys $(KEYS) --add $(or $(DIST),dist) $(if $(RENEW_ROOT),--renew-root)

# The images of both containers, to be copied to a server beside the program.
images: setup-demo
	@$(BIN)/python -m scripts.bundle.images

clean:
	@rm -rf build dist .venv .venv-ansible
