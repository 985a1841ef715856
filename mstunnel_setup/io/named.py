"""Paths that an administrator named, looked at before they are used: what conflicts is wrong usage."""

from pathlib import Path

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.io.safe_paths import Kind, explain, kind_of


def kind_at(path: Path) -> Kind | None:
    """What kind of file `path` leads to, links followed; None when nothing is there.

    Raises UsageError when that cannot be seen: in a closed directory, or for a name that is too long.
    """
    try:
        return kind_of(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        found = explain("look at", str(path), error)
        raise UsageError(found.code, found.message, found.hint) from error


def refuse_present(path: Path) -> None:
    """Raise UsageError `file-exists` unless `path` is free for a new file."""
    if kind_at(path) is not None:
        raise UsageError(
            "file-exists",
            "{path} already exists",
            hint="Give the name of a new file.",
            path=path,
        )
