# Two commands do everything from a fresh clone: `make demo` and `make test`.
BIN := .venv/bin

.PHONY: demo test lint e2e setup clean

setup:
	@scripts/setup.sh

demo: setup
	@$(BIN)/python -m tests.testbed demo

test: setup
	@scripts/in-testbed --state build/testbeds/podman -- $(BIN)/pytest -m "not e2e" -n 2 --dist loadscope
	@$(BIN)/pytest -m e2e

e2e: setup
	@$(BIN)/pytest -m e2e

lint: setup
	@$(BIN)/ruff format --check
	@$(BIN)/ruff check
	@$(BIN)/mypy
	@$(BIN)/basedpyright
	@$(BIN)/lint-imports
	@shellcheck scripts/in-testbed scripts/setup.sh images/*/install-wheels images/gateway/* images/agent/healthcheck .ci/run

clean:
	@rm -rf build dist .venv
