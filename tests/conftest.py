"""What holds for every test."""

import gc
import re
import signal
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import typer.main
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Line, Text, Verbatim
from mstunnel_setup.io import own_process
from scripts.bundle import package_data
from scripts.develop import texts
from tests.places import HOME

# The collected tests stay to the end: looking for garbage among them doubles the time to collect them.
gc.disable()

# What a program does once at its start is done once, and not at each of a thousand calls in this process: its
# commands are made from their declarations, and its code is looked at.
typer.main.get_command = cache(typer.main.get_command)
own_process.refuse_code_of_others = cache(own_process.refuse_code_of_others)


def _no_translation(template: Text, _specification: str) -> str:
    raise AssertionError(
        f"an f-string loses the translation of {str(template)!r}: use text(), or !s for English"
    )


# On a real host such a text is shown in English only.
Text.__format__ = _no_translation  # type: ignore[method-assign,assignment]

# Two words of a sentence side by side, the second one of those that no value of a table has.
_SENTENCE = re.compile(
    r"[a-z]{3,},? (?:is|are|was|of|to|in|on|the|no|not|with|which|and|for|from|has|cannot|until|at|by|or)\b"
)
_make_result = Result.__init__


def _only_templates(self: Result[Any], *arguments: Any, **named: Any) -> None:
    _make_result(self, *arguments, **named)
    shown = self.text
    lines = (lambda: map(_template, shown())) if callable(shown) else [*map(_template, shown)]
    object.__setattr__(self, "text", lines)


def _template(line: str) -> str:
    cells = line.cells if isinstance(line, Line) else (line,)
    for cell in cells:
        if not isinstance(cell, Text | Verbatim) and _SENTENCE.search(cell):
            assert cell.strip() in texts.texts(), f"{cell!r} has no template: make it with text()"
    return line


# What a command shows is made of templates and values: another language has nothing to look a sentence up by.
Result.__init__ = _only_templates  # type: ignore[method-assign]

# A machine that is busy with other tests is no failure. Each run has other examples, and fifty of a property
# are enough in one; a test that needs more says so.
settings.register_profile("project", deadline=None, max_examples=50)
settings.load_profile("project")


# A suite started with `nohup` or in the background ignores these signals and would hand that on to what its
# tests interrupt; a handler is not handed on.
signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda _number, _frame: None)

SHARED: Final = ("tests/crash/", "tests/e2e/", "tests/unit/mstunnel_lab/")
"""Folders whose tests share a server or a lab for the whole session."""


class ByFolder(LoadScopeScheduling):
    """The tests of a file run in one process, and so do those of a folder of SHARED."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((folder for folder in SHARED if file.startswith(folder)), file)


def pytest_configure(config: pytest.Config) -> None:
    """Before workers start: the program reads files that follow from its source."""
    if not hasattr(config, "workerinput"):
        package_data.refresh()


def pytest_collection_finish() -> None:
    """From here on there is garbage, in what the tests make."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFolder | None:
    """Schedule `--dist loadscope` by file and folder."""
    return ByFolder(config, log) if config.getoption("dist") == "loadscope" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    """`make screenshots` and `make recording` put those of the documentation into these directories.

    `make machines` says how many power cuts there are on each file system.
    """
    parser.addoption("--cuts", type=int, default=4, help="Power cuts on each file system.")
    parser.addoption("--screenshots", type=Path, default=Path("build/screenshots"), help="Where they go.")
    parser.addoption("--recording", type=Path, default=None, help="Where that of the walk goes, if anywhere.")


@pytest.fixture
def private() -> Iterator[Path]:
    """A directory that no other user can change anything above, as secrets require it of their directory."""
    with tempfile.TemporaryDirectory(dir=HOME) as directory:
        yield Path(directory)


@pytest.fixture
def screenshots(request: pytest.FixtureRequest) -> Path:
    """The directory for screenshots."""
    directory: Path = request.config.getoption("--screenshots")  # pyright: ignore[reportAssignmentType]
    return directory.absolute()


@pytest.fixture
def recording(request: pytest.FixtureRequest) -> Path | None:
    """The directory for a recording; None when none is wanted."""
    directory: Path | None = request.config.getoption("--recording")  # pyright: ignore[reportAssignmentType]
    return directory and directory.absolute()
