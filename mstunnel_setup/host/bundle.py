"""The one file that this program was started from, and the folder with all it brings (scripts/tree.py).

A Debian or RPM package has the folder alone, a Python package has neither.
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


def folder() -> Path:
    """Where the one file is unpacked, or what the package has installed."""
    return Path(sys.executable).parents[1]


def packages() -> list[tuple[str, str, str]] | None:
    """Name, version and kind (`wheel` or Debian's architecture) of all it brings; None without a folder."""
    listed = folder() / "packages"
    if not listed.is_file():
        return None
    rows = (line.split(" ") for line in listed.read_text().splitlines())
    return [(name, version, kind) for name, version, kind in rows]


def licenses() -> str | None:
    """The licence texts of all that; None without a folder."""
    text = folder() / "licenses"
    return text.read_text() if text.is_file() else None


def digests(file: Path) -> tuple[str, str]:
    """SHA-256 of the payload of a one file: as the file says, and as it is. Raises OSError."""
    head, _marker, payload = file.read_bytes().partition(_MARKER)
    stated = _DIGEST.search(head)
    return "" if stated is None else stated[1].decode(), hashlib.sha256(payload).hexdigest()


def differences(unpacked: Path) -> list[str]:
    """Files of an unpacked folder that are not as they were packed, with what is wrong. Raises OSError."""
    stated = {}
    for line in (unpacked / "manifest").read_text().splitlines()[:-1]:
        digest, _size, path = line.split(" ", 2)
        stated[path] = digest
    present = {str(path.relative_to(unpacked)) for path in unpacked.rglob("*") if not path.is_dir()}
    unknown = present - stated.keys() - {"manifest", "complete"}
    found = [f"{path}: does not belong there" for path in sorted(unknown)]
    for path, digest in stated.items():
        if path not in present:
            found.append(f"{path}: missing")
        elif hashlib.sha256((unpacked / path).read_bytes()).hexdigest() != digest:
            found.append(f"{path}: changed")
    return found
