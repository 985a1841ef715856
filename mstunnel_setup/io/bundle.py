"""The single-file program that is running, and the directory with its parts (scripts/bundle/tree.py).

A Debian or RPM package installs only the directory; a Python package has neither. The directory that a single
file unpacked is removed when no process runs from it any more.
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
# The file begins with a shell script, which is shorter than this.
_HEAD_BYTES = 65536
# Seconds for other commands to end; only those that follow a log take longer.
_PATIENCE: Final = 10.0
# Seconds between two checks: a starting process that has just found the directory executes it within this
# time.
_PAUSE: Final = 0.2


def one_file() -> str | None:
    """Return the resolved path of the single file; its start sets it (scripts/bundle/start/start.py)."""
    return os.environ.get("MSTUNNEL_ONE_FILE")


def interpreter() -> list[str]:
    """Return the beginning of a command that runs one of our programs, without its dynamic loader.

    The program's path and its arguments follow. Variables and files of a user have no effect on the
    interpreter.
    """
    here = directory()
    if not (here / "start.py").is_file():
        return [sys.executable, "-I"]
    python = next((here / "bin").glob("python3.*"))
    loading = ["--inhibit-cache", "--library-path", str(here / "lib"), "--argv0", str(python)]
    return [*loading, str(python), "-I", "-S", "-B", str(here / "start.py")]


def directory() -> Path:
    """Return the directory that the single-file program unpacked or that its package installed."""
    return Path(sys.executable).parents[1]


def packages() -> list[tuple[str, str, str]] | None:
    """Return name, version and kind (`wheel` or Debian's architecture) of all included packages.

    None for a Python package.
    """
    listed = directory() / "packages"
    if not listed.is_file():
        return None
    rows = (line.split(" ") for line in listed.read_text().splitlines())
    return [(name, version, kind) for name, version, kind in rows]


def licenses() -> str | None:
    """Return the licence texts of all included packages; None for a Python package."""
    text = directory() / "licenses"
    return text.read_text() if text.is_file() else None


def digests(file: Path) -> tuple[str, str]:
    """Return the stated and the actual SHA-256 of a single file's payload. Raises OSError."""
    head, _marker, payload = file.read_bytes().partition(_MARKER)
    return _stated(head), hashlib.sha256(payload).hexdigest()


def _stated(head: bytes) -> str:
    found = _DIGEST.search(head)
    return "" if found is None else found[1].decode()


def differences(unpacked: Path) -> list[str]:
    """Return the files of an unpacked directory that differ from the manifest, and how. Raises OSError."""
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
            # Only its owner can read the loader (scripts/bundle/tree.py).
            continue
        elif hashlib.sha256((unpacked / path).read_bytes()).hexdigest() != digest:
            found.append(text("{path}: changed", path=path))
    return found


def running() -> str:
    """Return the SHA-256 that identifies the program of this process; empty for a Python package.

    It is the digest of the single file's payload or else of the manifest. Call this at the start, because
    packages are replaced in place.
    """
    if one_file() is None:
        return installed()
    try:
        return (directory() / "complete").read_text().strip()
    except OSError:
        return ""


def installed() -> str:
    """Return the same digest for the program that is now in this one's place; empty without one."""
    file = one_file()
    if file is not None:
        return stated_by(Path(file))
    try:
        return hashlib.sha256((directory() / "manifest").read_bytes()).hexdigest()
    except OSError:
        return ""


def stated_by(file: Path) -> str:
    """Return the digest that a single file states; empty without one."""
    try:
        with file.open("rb") as opened:
            return _stated(opened.read(_HEAD_BYTES))
    except OSError:
        return ""


def intact() -> bool:
    """Return whether the program that is in place now is complete and unchanged."""
    file = one_file()
    try:
        if file is None:
            return not _damaged(directory())
        stated, found = digests(Path(file))
    except (OSError, ValueError):
        return False
    return stated == found


def remove_unpacked(files: Files, clock: Clock, directory: str) -> list[int]:
    """Remove `directory`, or return the processes that still run from it and keep it.

    If boot.sh made the directory above it, and that is empty now, it is removed, too.

    The calling process and those that wait for it may run from the directory. If another process is already
    removing it, this returns at once, so that neither waits for the other.
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
            # This process and its ancestors do not count.
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
    """Yield the holders of the lock on a version (scripts/bundle/start), even with a hidden program."""
    versions = {entry.inode() for entry in os.scandir(place)}
    try:
        locks = Path("/proc/locks").read_text()
    except OSError:
        # Without /proc, as in a chroot, no holder can be found, so the version counts as unused.
        return
    for line in locks.splitlines():
        # 1: FLOCK ADVISORY READ 4711 08:01:1234 0 EOF; a lock that is waited for has -> after the number.
        _number, kind, *_mode, process, inode, _start, _end = line.split()
        if kind == "FLOCK" and int(inode.rpartition(":")[2]) in versions:
            yield int(process)


def _running_from(place: Path) -> Iterator[int]:
    """Yield the processes whose program is in `place`, even before they hold a lock.

    In a container or another root the same path is another file, so the file itself is compared.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            program = (process / "exe").readlink()
            if program.is_relative_to(place.resolve()) and program.samefile(process / "exe"):
                yield int(process.name)


def _above() -> Iterator[int]:
    """Yield the ancestors of this process: a command may be waiting for it."""
    process = os.getpid()
    while process > 1:
        try:
            status = Path(f"/proc/{process}/status").read_text()
        except OSError:
            return
        process = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("PPid:"))
        yield process
