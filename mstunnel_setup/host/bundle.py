"""The single-file program that was started, and the directory with all its parts (scripts/tree.py).

A Debian or RPM package has the directory alone, a Python package has neither.
"""

import hashlib
import os
import re
import sys
from pathlib import Path

_DIGEST = re.compile(rb"^digest='([0-9a-f]{64})'$", re.MULTILINE)
_MARKER = b"\n__PAYLOAD__\n"


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
    stated = _DIGEST.search(head)
    return "" if stated is None else stated[1].decode(), hashlib.sha256(payload).hexdigest()


def differences(unpacked: Path) -> list[str]:
    """Files of an unpacked directory that differ from the manifest, and how. Raises OSError."""
    stated = {}
    for line in (unpacked / "manifest").read_text().splitlines()[:-1]:
        digest, _size, path = line.split(" ", 2)
        stated[path] = digest
    present = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if not path.is_dir()}
    unknown = present - stated.keys() - {"manifest", "complete"}
    found = [f"{path}: not in the manifest" for path in sorted(unknown)]
    for path, digest in stated.items():
        if path not in present:
            found.append(f"{path}: missing")
        elif hashlib.sha256((unpacked / path).read_bytes()).hexdigest() != digest:
            found.append(f"{path}: changed")
    return found
