"""The crash tests replace `os` in the modules that change files; none of them may be forgotten."""

import ast
from pathlib import Path

from mstunnel_setup import io as host
from tests.crash.faults import CHANGES
from tests.crash.points import WRITER

_DIRECTORY = Path(host.__file__).parent
# Write into memory, to pipes and to terminals only.
_HARMLESS = {"hand_over", "network", "terminal"}


def changes_files(source: str) -> bool:
    """Whether a module calls what changes files."""
    called = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    return bool(called & CHANGES)


def test_every_module_that_changes_files_is_watched() -> None:
    changing = {path.stem for path in _DIRECTORY.glob("*.py") if changes_files(path.read_text())}
    watched = {module.__name__.rpartition(".")[2] for module in WRITER}
    assert changing - _HARMLESS <= watched
    assert {"files", "appender"} <= changing


def test_a_module_that_syncs_is_noticed() -> None:
    assert changes_files("import os\nos.fsync(3)\n")
    assert not changes_files("import os\nos.getpid()\n")
