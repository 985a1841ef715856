"""Runs on the server: time an installation, and what of that goes into its journal.

`timed_install.py ARGUMENT…` writes /root/timed.json: seconds in all, seconds spent on the journal,
and how many records it has.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from mstunnel_setup.base import paths
from mstunnel_setup.cli import setup
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.records import VERSION

_spent = 0.0


def _timed(original: Any) -> Any:
    def timed(*arguments: Any, **options: Any) -> Any:
        global _spent  # noqa: PLW0603 (one process, one figure)
        started = time.monotonic()
        try:
            return original(*arguments, **options)
        finally:
            _spent += time.monotonic() - started

    return timed


def main(arguments: list[str]) -> int:
    """The exit code of the installation."""
    Journal.append = _timed(Journal.append)  # type: ignore[method-assign]
    Journal.__init__ = _timed(Journal.__init__)  # type: ignore[method-assign]
    Journal.compact = _timed(Journal.compact)  # type: ignore[method-assign]
    sys.argv = ["mstunnel-setup", *arguments]
    started = time.monotonic()
    code = setup.main()
    seconds = time.monotonic() - started
    path = Path(paths.STATE) / "journal.jsonl"
    records = len(path.read_bytes().splitlines())
    figures = {"seconds": seconds, "journal_seconds": _spent, "records": records, "format": VERSION}
    Path("/root/timed.json").write_text(json.dumps(figures))
    return code


sys.exit(main(sys.argv[1:]))
