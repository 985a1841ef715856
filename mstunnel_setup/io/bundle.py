"""The single-file program that was started, and the directory with all its parts (scripts/tree.py).

A Debian or RPM package has the directory alone, a Python package has neither.
"""

import hashlib
import os
import re
import sys
from pathlib import Path

from mstunnel_setup.base.text import text

_DIGEST = re.compile(rb"^digest='([0-9a-f]{64})'$", re.MULTILINE)
_MARKER = b"\n__PAYLOAD__\n"
# The beginning in shell is shorter.
_HEAD_BYTES = 65536


def one_file() -> str | None:
    """Path of the one file, links resolved; set by its start (scripts/start/start.py)."""
    return os.environ.get("MSTUNNEL_ONE_FILE")


def directory() -> Path:
    """The directory that the single-file program is unpacked into, or that its package installs."""
    return Path(sys.executable).parents[1]


def packages() -> list[tuple[str, str, str]] | None:
    """Name, version and kind (`wheel` or Debian's architecture) of all it brings; None without it."""
    listed = directory() / "packages"
    if not listed.is_file():
        return None
    rows = (line.split(" ") for line in listed.read_text().splitlines())
    return [(name, version, kind) for name, version, kind in rows]


def licenses() -> str | None:
    """The licence texts of all that; None without a directory."""
    text = directory() / "licenses"
    return text.read_text() if text.is_file() else None


def digests(file: Path) -> tuple[str, str]:
    """SHA-256 of the payload of a one-file program: stated and actual. Raises OSError."""
    head, _marker, payload = file.read_bytes().partition(_MARKER)
    return _stated(head), hashlib.sha256(payload).hexdigest()


def _stated(head: bytes) -> str:
    found = _DIGEST.search(head)
    return "" if found is None else found[1].decode()


def differences(unpacked: Path) -> list[str]:
    """Files of an unpacked directory that differ from the manifest, and how. Raises OSError."""
    present = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if not path.is_dir()}
    unknown = present - _manifest(unpacked).keys() - {"manifest", "complete"}
    return [
        *(text("{path}: not in the manifest", path=path) for path in sorted(unknown)),
        *_damaged(unpacked),
    ]


def _manifest(unpacked: Path) -> dict[str, str]:
    rows = (line.split(" ", 2) for line in (unpacked / "manifest").read_text().splitlines()[:-1])
    return {path: digest for digest, _size, path in rows}


def _damaged(unpacked: Path) -> list[str]:
    found = []
    for path, digest in _manifest(unpacked).items():
        if not (unpacked / path).is_file():
            found.append(text("{path}: missing", path=path))
        elif hashlib.sha256((unpacked / path).read_bytes()).hexdigest() != digest:
            found.append(text("{path}: changed", path=path))
    return found


def running() -> str:
    """SHA-256 that identifies the program of this process; empty for a Python package.

    Of the payload of the one file, else of the manifest. Ask at the start: packages are replaced in place.
    """
    if one_file() is None:
        return installed()
    try:
        return (directory() / "complete").read_text().strip()
    except OSError:
        return ""


def installed() -> str:
    """The same of the program that is now where this one was started from; empty without one."""
    file = one_file()
    try:
        if file is None:
            return hashlib.sha256((directory() / "manifest").read_bytes()).hexdigest()
        with Path(file).open("rb") as opened:
            return _stated(opened.read(_HEAD_BYTES))
    except OSError:
        return ""


def intact() -> bool:
    """Whether nothing of the program that is there now is missing, cut off or changed."""
    file = one_file()
    try:
        if file is None:
            return not _damaged(directory())
        stated, found = digests(Path(file))
    except (OSError, ValueError):
        return False
    return stated == found
