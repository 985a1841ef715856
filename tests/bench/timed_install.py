"""Runs on the server: time an installation, with its journal or with one that writes nothing until the end.

`timed_install.py real|null ARGUMENT…` writes /root/timed.json: seconds in all, seconds spent on the journal,
and how many records it has.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from mstunnel_setup.base import paths
from mstunnel_setup.cli import setup
from mstunnel_setup.transaction import journal as module
from mstunnel_setup.transaction.journal import Journal

_spent = 0.0
_lines: list[bytes] = []


class _Nowhere:
    """Takes the place of the journal's file."""

    def size(self) -> int:
        return 0

    def append(self, record: bytes) -> None:
        _lines.append(record)


def _open_nowhere(self: Journal) -> _Nowhere:
    """Other things lie in the journal's directory, too."""
    self._files.make_directories(self.directory, 0o700)
    return _Nowhere()


def _timed(original: Any) -> Any:
    def timed(*arguments: Any, **options: Any) -> Any:
        global _spent  # noqa: PLW0603 (one process, one figure)
        started = time.monotonic()
        try:
            return original(*arguments, **options)
        finally:
            _spent += time.monotonic() - started

    return timed


def main(kind: str, arguments: list[str]) -> int:
    """The exit code of the installation."""
    Journal.append = _timed(Journal.append)  # type: ignore[method-assign]
    Journal.__init__ = _timed(Journal.__init__)  # type: ignore[method-assign]
    if kind == "null":
        Journal._open = _open_nowhere  # type: ignore[method-assign,assignment]
    sys.argv = ["mstunnel-setup", *arguments]
    started = time.monotonic()
    code = setup.main()
    seconds = time.monotonic() - started
    path = Path(paths.STATE) / "journal.jsonl"
    if kind == "null":  # so that the gateway can be uninstalled
        path.parent.mkdir(mode=0o700, exist_ok=True)
        path.write_bytes(b"".join(_lines))
        path.chmod(0o600)
    records = len(path.read_bytes().splitlines())
    figures = {"seconds": seconds, "journal_seconds": _spent, "records": records, "format": module.VERSION}
    Path("/root/timed.json").write_text(json.dumps(figures))
    return code


sys.exit(main(sys.argv[1], sys.argv[2:]))
