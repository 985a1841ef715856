"""The single-file program that was started, and the directory with all its parts (scripts/tree.py).

A Debian or RPM package has the directory alone, a Python package has neither. What the one file unpacked
itself into is removed once no process runs from it.
"""

import fcntl
import hashlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from mstunnel_setup.base.text import text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files

_DIGEST = re.compile(rb"^digest='([0-9a-f]{64})'$", re.MULTILINE)
_MARKER = b"\n__PAYLOAD__\n"
# The beginning in shell is shorter.
_HEAD_BYTES = 65536
# Seconds that commands beside this one have to end: all but those that follow something.
_PATIENCE: Final = 10.0
# Between two looks: a start that has just looked at the directory has executed it by then.
_PAUSE: Final = 0.2


def one_file() -> str | None:
    """Path of the one file, links resolved; set by its start (scripts/start/start.py)."""
    return os.environ.get("MSTUNNEL_ONE_FILE")


def interpreter() -> list[str]:
    """The beginning of a command that runs one of our programs, without its dynamic loader.

    The path of the program and its arguments follow. Neither variables nor files of a user take part in it.
    """
    here = directory()
    if not (here / "start.py").is_file():
        return [sys.executable, "-I"]
    python = next((here / "bin").glob("python3.*"))
    loading = ["--inhibit-cache", "--library-path", str(here / "lib"), "--argv0", str(python)]
    return [*loading, str(python), "-I", "-S", "-B", str(here / "start.py")]


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
        elif not os.access(unpacked / path, os.R_OK):
            # The loader, which only its owner can read (scripts/tree.py).
            continue
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
    if file is not None:
        return stated_by(Path(file))
    try:
        return hashlib.sha256((directory() / "manifest").read_bytes()).hexdigest()
    except OSError:
        return ""


def stated_by(file: Path) -> str:
    """The same of a one-file program, as it states it; empty without one."""
    try:
        with file.open("rb") as opened:
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


def remove_unpacked(files: Files, clock: Clock, directory: str) -> list[int]:
    """Remove `directory`; returns the processes that still run from it, for which it is kept.

    If boot.sh has made the directory above it as well, and nothing else is in there, that is removed, too.

    The caller may run from it itself, and so may those that wait for the caller. Where another process is
    removing it already this returns at once, so that neither waits for the other.
    """
    if files.state(directory) is None:
        return []
    place = files.locate(directory)
    handle = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        end = clock.monotonic() + _PATIENCE
        unused = 0
        while unused < 2:  # noqa: PLR2004 (see _PAUSE)
            # All but this process and those above it.
            using = sorted({*_holders(place), *_running_from(place)} - {os.getpid(), *_above()})
            if using and clock.monotonic() > end:
                return using
            unused = 0 if using else unused + 1
            clock.sleep(_PAUSE)
        made_above = files.state(f"{directory}/.made-above") is not None
        files.remove_tree(directory)
        if made_above:
            files.remove_directory(directory.rpartition("/")[0])
    except BlockingIOError:
        pass
    finally:
        os.close(handle)
    return []


def _holders(place: Path) -> Iterator[int]:
    """Those that hold the lock on a version (scripts/start/start.py), also where their program is hidden."""
    versions = {entry.inode() for entry in os.scandir(place)}
    try:
        locks = Path("/proc/locks").read_text()
    except OSError:
        # A root without /proc.
        return
    for line in locks.splitlines():
        # 1: FLOCK ADVISORY READ 4711 08:01:1234 0 EOF; one that waits for a lock has -> after the number.
        _number, kind, *_mode, process, inode, _start, _end = line.split()
        if kind == "FLOCK" and int(inode.rpartition(":")[2]) in versions:
            yield int(process)


def _running_from(place: Path) -> Iterator[int]:
    """Those whose program is in it, also before they hold a lock.

    In a container or another root the same path is another file, so the file itself is compared.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program = (process / "exe").readlink()
            if program.is_relative_to(place.resolve()) and program.samefile(process / "exe"):
                yield int(process.name)


def _above() -> Iterator[int]:
    """The processes above this one: a command that waits for this one's end."""
    process = os.getpid()
    while process > 1:
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            return
        process = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))
        yield process
