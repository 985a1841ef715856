"""The crash tests replace `os` in every module that changes files."""

import ast
from pathlib import Path

from mstunnel_setup import io as host
from tests.crash.faults import CHANGES
from tests.crash.points import WRITER

_DIRECTORY = Path(host.__file__).parent
# These write only to memory, pipes and terminals.
_HARMLESS = {"hand_over", "network", "terminal"}


def changes_files(source: str) -> bool:
    """Return whether a module calls functions that change files."""
    called = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    return bool(called & CHANGES)


def test_crash_tests_cover_every_module_that_changes_files() -> None:
    changing = {path.stem for path in _DIRECTORY.glob("*.py") if changes_files(path.read_text())}
    watched = {module.__name__.rpartition(".")[2] for module in WRITER}
    assert changing - _HARMLESS <= watched
    assert {"files", "appender"} <= changing


def test_module_that_calls_fsync_is_detected() -> None:
    assert changes_files("import os\nos.fsync(3)\n")
    assert not changes_files("import os\nos.getpid()\n")
