"""The pytest plugin of the crash tests: how many points, where the figures go, and the last line.

`pytest -p tests.crash.plugin --kill-points all tests/crash` runs every point; without it a sample is run.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.crash import tally

FIGURES = Path(__file__).parents[2] / "build/crash"


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of the crash tests."""
    group = parser.getgroup("crash")
    group.addoption("--kill-points", choices=["sample", "all"], default="sample", help="Which points to run.")
    group.addoption("--kill-pairs", type=int, default=8, help="How many pairs: killed again in the next run.")


def record(figure: str, **values: Any) -> None:
    """Add what a test measured; several processes may do so at once."""
    FIGURES.mkdir(parents=True, exist_ok=True)
    with (FIGURES / f"{figure}.jsonl").open("a") as stream:
        stream.write(json.dumps(values) + "\n")


def recorded(figure: str) -> list[dict[str, Any]]:
    """Everything recorded for a figure."""
    path = FIGURES / f"{figure}.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def forget(figure: str) -> None:
    """Start a new record of a figure."""
    (FIGURES / f"{figure}.jsonl").unlink(missing_ok=True)


def commit() -> str:
    """The short name of the commit that is checked out."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say how many of the points were survived."""
    if config.getoption("--kill-points") != "all":
        return
    for line in tally.summary(recorded("kill"), recorded("commands")):
        terminalreporter.write_line(line)
