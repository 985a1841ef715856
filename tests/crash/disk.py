"""A model of a disk that loses power: records what the file writer does, rebuilds what may be left.

What was synced is there. Of the rest any subset may be there: content without its name, a name without its
content, a write in part, a later operation without an earlier one (POSIX promises nothing else).
"""

import itertools
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

MOST_UNSYNCED = 12
# Mode and content (None for a directory, the target for a link) by path.
Picture: TypeAlias = dict[str, tuple[int, bytes | str | None]]


@dataclass(frozen=True)
class Operation:
    """One change: of the content or mode of the object `inode`, or of a name in the directory `inode`."""

    inode: int
    what: str
    name: str = ""
    value: Any = None


@dataclass
class Log:
    """Everything that happened, in order; `synced` has, for each operation, when it was certain to stay."""

    operations: list[Operation] = field(default_factory=list)
    synced: dict[int, int] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)

    def add(self, operation: Operation) -> None:
        """Something changed."""
        self.operations.append(operation)

    def sync(self, inode: int) -> None:
        """What happened to an object until now stays."""
        for index, operation in enumerate(self.operations):
            if operation.inode == inode:
                self.synced.setdefault(index, len(self.operations))

    def disks(self, moment: int) -> Iterator[Sequence[Operation]]:
        """Every disk after a power loss right after operation number `moment`, before any later sync."""
        done = range(moment)
        loose = [index for index in done if self.synced.get(index, moment) >= moment]
        assert len(loose) <= MOST_UNSYNCED, f"{len(loose)} operations are not synced"
        for kept in itertools.product((True, False), repeat=len(loose)):
            lost = {index for index, stays in zip(loose, kept, strict=True) if not stays}
            yield [self.operations[index] for index in done if index not in lost]


class RecordingOs:
    """The module `os` for the file writer: does everything, and writes down what a disk would see."""

    def __init__(self, log: Log, root: Path) -> None:
        self._log = log
        self._inodes = {root.stat().st_ino: 0}
        self._numbers = itertools.count(1)

    def __getattr__(self, name: str) -> Any:
        return getattr(os, name)

    def _number(self, inode: int) -> int:
        if inode not in self._inodes:
            self._inodes[inode] = next(self._numbers)
        return self._inodes[inode]

    def _of(self, handle: int) -> int:
        return self._number(os.fstat(handle).st_ino)

    def _made(self, parent: int, name: str, kind: str) -> None:
        inode = os.stat(name, dir_fd=parent, follow_symlinks=False).st_ino
        # The number of a removed file is given out again at once; for us it is another file.
        number = self._inodes[inode] = next(self._numbers)
        self._log.kinds[number] = kind
        self._log.add(Operation(self._of(parent), "name", name, number))

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        """Open; a file that comes into being gets its name in its directory."""
        there = dir_fd is None or os.access(path, os.F_OK, dir_fd=dir_fd, follow_symlinks=False)
        handle = os.open(path, flags, mode, dir_fd=dir_fd)
        if flags & os.O_CREAT and not there and dir_fd is not None:
            self._made(dir_fd, path, "file")
            self._log.add(Operation(self._of(handle), "mode", value=stat.S_IMODE(os.fstat(handle).st_mode)))
        return handle

    def write(self, handle: int, data: memoryview) -> int:
        """Write in two halves: a disk may have one of them."""
        start = os.fstat(handle).st_size
        scope = len(data) // 2
        for offset, part in ((0, bytes(data[:scope])), (scope, bytes(data[scope:]))):
            self._log.add(Operation(self._of(handle), "data", value=(start + offset, part)))
        return os.write(handle, data)

    def ftruncate(self, handle: int, size: int) -> None:
        """Cut."""
        self._log.add(Operation(self._of(handle), "size", value=size))
        os.ftruncate(handle, size)

    def fchmod(self, handle: int, mode: int) -> None:
        """Change the mode."""
        self._log.add(Operation(self._of(handle), "mode", value=mode))
        os.fchmod(handle, mode)

    def fsync(self, handle: int) -> None:
        """Everything about this object stays from now on."""
        self._log.sync(self._of(handle))

    def mkdir(self, name: str, mode: int, *, dir_fd: int) -> None:
        """Make a directory."""
        os.mkdir(name, mode, dir_fd=dir_fd)
        self._made(dir_fd, name, "directory")

    def symlink(self, target: str, name: str, *, dir_fd: int) -> None:
        """Make a link; its target is stored with it."""
        os.symlink(target, name, dir_fd=dir_fd)
        self._made(dir_fd, name, target)

    def replace(self, source: str, name: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        """Give a name to another object: old or new, never neither."""
        number = self._number(os.stat(source, dir_fd=src_dir_fd, follow_symlinks=False).st_ino)
        os.replace(source, name, src_dir_fd=src_dir_fd, dst_dir_fd=dst_dir_fd)
        self._log.add(Operation(self._of(src_dir_fd), "rename", name, (source, number)))

    def unlink(self, name: str, *, dir_fd: int) -> None:
        """Take a name away."""
        os.unlink(name, dir_fd=dir_fd)
        self._log.add(Operation(self._of(dir_fd), "unname", name))

    def rmdir(self, name: str, *, dir_fd: int) -> None:
        """Take a directory away."""
        os.rmdir(name, dir_fd=dir_fd)
        self._log.add(Operation(self._of(dir_fd), "unname", name))


class SkippingOs(RecordingOs):
    """A broken writer: it never syncs `skip` (`file` or `directory`)."""

    def __init__(self, log: Log, root: Path, skip: str) -> None:
        super().__init__(log, root)
        self._skip = skip

    def fsync(self, handle: int) -> None:
        """Forget it where it matters."""
        kind = "directory" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        if kind != self._skip:
            super().fsync(handle)


def picture(operations: Sequence[Operation], kinds: dict[int, str]) -> Picture:
    """The tree that these operations amount to."""
    names: dict[int, dict[str, int]] = {0: {}}
    contents: dict[int, bytearray] = {}
    modes: dict[int, int] = {}
    for item in operations:
        if item.what == "mode":
            modes[item.inode] = item.value
        elif item.what in ("data", "size"):
            _change(contents.setdefault(item.inode, bytearray()), item)
        else:
            _name(names.setdefault(item.inode, {}), item)
    found: Picture = {}
    waiting = [("", 0)]
    while waiting:
        place, inode = waiting.pop()
        for name, number in names.get(inode, {}).items():
            content = bytes(contents.get(number, b""))
            found[f"{place}/{name}"] = _entry(kinds[number], modes.get(number), content)
            waiting.append((f"{place}/{name}", number))
    return found


def _name(directory: dict[str, int], item: Operation) -> None:
    if item.what == "name":
        directory[item.name] = item.value
    elif item.what == "unname":
        directory.pop(item.name, None)
    else:
        source, directory[item.name] = item.value
        directory.pop(source, None)


def _entry(kind: str, mode: int | None, content: bytes) -> tuple[int, bytes | str | None]:
    if kind == "directory":
        return (0o755 if mode is None else mode, None)
    return (0o600 if mode is None else mode, content) if kind == "file" else (0o777, kind)


def _change(content: bytearray, item: Operation) -> None:
    if item.what == "size":
        del content[item.value :]
        content.extend(bytes(item.value - len(content)))
        return
    offset, part = item.value
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(part)] = part


def lay_down(tree: Picture, root: Path) -> None:
    """Write a picture below the empty directory `root`."""
    for name, (mode, content) in sorted(tree.items()):
        path = root / name.lstrip("/")
        if isinstance(content, str):
            path.symlink_to(content)
            continue
        if content is None:
            path.mkdir()
        else:
            path.write_bytes(content)
        path.chmod(mode)
