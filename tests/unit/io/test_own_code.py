"""The refusal of code that others can change: what it looks at changes meanwhile."""

import shutil
from pathlib import Path

from mstunnel_setup.io.own_process import changeable_below


def test_what_is_gone_when_looked_at_is_ignored(tmp_path: Path) -> None:
    """Another process that compiles a module makes and renames files there at any moment."""
    files = {tmp_path / f"module.cpython-313.pyc.{number}" for number in range(3)}
    for path in files:
        path.touch()
        path.chmod(0o666)
    found = changeable_below(tmp_path)
    first = next(found)
    for path in files - {first}:
        path.unlink()
    assert not list(found)


def test_a_directory_that_is_gone_when_looked_at_is_ignored(tmp_path: Path) -> None:
    cache = tmp_path / "__pycache__"
    cache.mkdir()
    cache.chmod(0o777)
    found = changeable_below(tmp_path)
    assert next(found) == cache
    shutil.rmtree(cache)
    assert not list(found)
