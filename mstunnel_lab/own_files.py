"""The files that a lab keeps in its directory: what is wrong with one is reported with its path."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mstunnel_lab.declared_errors import LAB_DIRECTORY


@contextmanager
def using(path: Path) -> Iterator[None]:
    """Raise UsageError `lab-directory` for a file at `path` that the block cannot read, parse or write."""
    try:
        yield
    except OSError as error:
        raise LAB_DIRECTORY(path=path, reason=error.strerror) from error
    except (sqlite3.Error, ValueError, TypeError) as error:
        raise LAB_DIRECTORY(path=path, reason=error) from error
