"""Actions on the parts of Microsoft's own gateway: none removes anything, and undo restores each exactly."""

import hashlib
import os
import tarfile
from collections.abc import Collection, Iterator
from contextlib import suppress
from io import BytesIO, RawIOBase
from pathlib import PurePosixPath
from typing import Any

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import CheckError, EngineError, StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs, as_list
from mstunnel_setup.containers.engine_options import EngineName
from mstunnel_setup.containers.vendor import VendorContainer, inspect
from mstunnel_setup.io.appender import Appender
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files, FileState
from mstunnel_setup.transaction.action import Action, OneWayAction, Undo, Undone, UndoRecord

ADOPT = "adopt"
HAND_OVER = "hand-over"
"""The steps of taking over Microsoft's gateway."""
ANSWER = "adoption"
KEY = f"answer:{ANSWER}"
"""The first object in the journal of an adoption; it is gone once the adoption is committed."""
_ENGINE_SECONDS = 180.0
# Limits far above any gateway, which has a few hundred files of a few MiB.
MOST_FILES, DEEPEST, LARGEST_FILE, LARGEST_TREE = 20_000, 40, 64 << 20, 1 << 30
_LONGEST_SHOWN = 120
_KINDS = {"file": tarfile.REGTYPE, "directory": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}


class BackUpFiles(Action):
    """Write everything below `sources` into the archive `path` (.tar, mode 0600), and read it again.

    The archive keeps content, modes, owners and links. It is for the administrator: undo does not need it,
    and removes it once everything is back in place.
    """

    kind = "back-up-files"
    key_template = "backup:{path}"
    path: str
    sources: tuple[str, ...]

    @override
    def describe(self) -> str:
        return text("back up {sources} to {path}", sources=", ".join(self.sources), path=self.path)

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self.key in outputs and host.files.state(self.path) is not None

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write the archive and read it. Raises StepError `adoption-backup-unreadable`."""
        host.files.make_directories(str(PurePosixPath(self.path).parent), 0o700)
        with host.files.growing(self.path) as file:
            target = _HashedFile(file)
            with tarfile.open(fileobj=target, mode="w|") as archive:
                names = []
                for source in self.sources:
                    for path, state in vendor_tree(host.files, source):
                        if state.kind not in _KINDS:
                            continue  # sockets and the like
                        member = tarfile.TarInfo(path.lstrip("/"))
                        member.type, member.mode = _KINDS[state.kind], state.mode
                        member.uid, member.gid = state.uid, state.gid
                        member.linkname = state.target or ""
                        content = (host.files.read(path) or b"") if state.kind == "file" else b""
                        member.size = len(content)
                        archive.addfile(member, BytesIO(content))
                        names.append(member.name)
        with tarfile.open(host.files.locate(self.path), "r:") as archive:
            if archive.getnames() != names:
                raise StepError(
                    "adoption-backup-unreadable",
                    "the backup {path} cannot be read as it was written",
                    hint="Check the disk, then run the same command again.",
                    path=self.path,
                )
        return {"sha256": target.digest.hexdigest()}

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        there = host.files.state(self.path) is not None
        if there and any(host.files.state(source) is None for source in self.sources):
            return Undone(Undo.KEPT, f"the backup {self.path}: not everything of it is in its place")
        # A killed run may have written a part of the archive.
        host.files.remove(self.path)
        return Undone(Undo.REMOVED if there else Undo.ABSENT)


class _HashedFile(RawIOBase):
    """Writes to a growing file and computes its digest."""

    def __init__(self, file: Appender) -> None:
        super().__init__()
        self._file = file
        self.digest = hashlib.sha256()

    @override
    def write(self, content: Any, /) -> int:
        self._file.append(content)
        self.digest.update(content)
        return len(content)


def vendor_tree(files: Files, top: str, left_out: Collection[str] = ()) -> Iterator[tuple[str, FileState]]:
    """Yield the path `top` and all below it except `left_out`, each directory before its content.

    They may belong to another account: raises CheckError `vendor-files-unbounded` above limits that no
    gateway reaches.
    """
    waiting, total, found = [top], 0, 0
    while waiting:
        path = waiting.pop()
        state = None if path in left_out else files.state(path)
        if state is None:
            continue
        found += 1
        size = os.lstat(files.locate(path)).st_size if state.kind == "file" else 0
        total += size
        if found > MOST_FILES:
            raise _unbounded(top, path, text("there are more than {most} files", most=MOST_FILES))
        if path.count("/") - top.count("/") > DEEPEST:
            raise _unbounded(top, path, text("it is below more than {most} directories", most=DEEPEST))
        if size > LARGEST_FILE or total > LARGEST_TREE:
            most = (LARGEST_FILE if size > LARGEST_FILE else LARGEST_TREE) >> 20
            raise _unbounded(top, path, text("with it there are more than {most} MiB", most=most))
        yield path, state
        if state.kind == "directory":
            with suppress(FileError):
                waiting += [f"{path}/{name}" for name in reversed(files.names(path))]


def _unbounded(top: str, path: str, reason: str) -> CheckError:
    return CheckError(
        "vendor-files-unbounded",
        "{path} cannot be taken over: {reason}",
        hint="Move what does not belong to the gateway out of {top}, then run the command again.",
        path=path if len(path) <= _LONGEST_SHOWN else f"{path[:_LONGEST_SHOWN]}…",
        reason=reason,
        top=top,
    )


class NoteRunning(Action):
    """Record which of these units and containers (engine and name) run; undo starts them again.

    This action comes before every change, so that it is undone last: when files, names and units are back.
    The monitor is the first of `units`.
    """

    kind = "note-running"
    key_template = "running:vendor"
    units: tuple[str, ...]
    containers: tuple[tuple[EngineName, str], ...]

    @override
    def describe(self) -> str:
        return text(
            "record which of {containers} are running",
            containers=", ".join((*self.units, *(name for _, name in self.containers))),
        )

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self.key in outputs

    @override
    def capture(self, host: Host) -> JsonObject:
        states = [inspect(host.processes, *container) for container in self.containers]
        return {
            "units": [unit for unit in self.units if host.systemd.active(unit)],
            "containers": [state.name for state in states if state is not None and state.running],
        }

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Do nothing: the captured state is the effect."""

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Start what ran, the monitor last, because it starts containers itself.

        Raises if one does not start.
        """
        ran = record.before
        for engine, name in self.containers:
            state = inspect(host.processes, engine, name)
            if name in as_list(ran.get("containers")) and state is not None and not state.running:
                host.processes.run((engine, "start", name), timeout=_ENGINE_SECONDS)
        units = [unit for unit in reversed(self.units) if unit in as_list(ran.get("units"))]
        if units:
            host.systemd.daemon_reload()
        for unit in units:
            host.systemd.start(unit)
        return Undone(Undo.RESTORED)


class StopUnit(OneWayAction):
    """Stop a unit that is not ours; undoing `NoteRunning` starts it again."""

    kind = "stop-unit"
    key_template = "stopped:{unit}"
    description = text("stop {unit}")
    unit: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        # A unit is stopped only once: later, one of our units has the same name.
        return self.key in outputs or not host.systemd.active(self.unit)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        host.systemd.stop(self.unit)


class SetAside(Action):
    """Rename a file or directory to `name` next to it, with the same owners, modes and SELinux labels.

    A rename is atomic, so a kill leaves the file under one of the two names. Running containers keep their
    mounts.
    """

    kind = "set-aside"
    key_template = "aside:{path}"
    description = text("move {path} to {aside}")
    path: str
    name: str

    @property
    def aside(self) -> str:
        """Its path while it is set aside."""
        return str(PurePosixPath(self.path).with_name(self.name))

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return host.files.state(self.aside) is not None

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        if host.files.state(self.aside) is None:
            host.files.give_name(self.path, self.name)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Move it back. Rename whatever is in its place, such as files edited since, to `.left`."""
        if host.files.state(self.aside) is None:
            return Undone(Undo.ABSENT)
        name, reason = PurePosixPath(self.path).name, ""
        there = host.files.state(self.path)
        empty = there is not None and there.kind == "directory" and host.files.remove_directory(self.path)
        if there is not None and not empty:
            reason = text(
                "What was in {path} and changed since the switch is in {path}.left.", path=self.path
            )
            if host.files.state(f"{self.path}.left") is not None:
                return Undone(Undo.KEPT, f"{self.aside}: {self.path} and {self.path}.left are in use")
            host.files.give_name(self.path, f"{name}.left")
        host.files.give_name(self.aside, name)
        return Undone(Undo.RESTORED, reason)


class SetContainerAside(Action):
    """Stop a foreign container and rename it to `aside`; `for_good` also disables its restart policy.

    Undo restores its name and restart policy; undoing `NoteRunning` starts it.
    """

    kind = "set-container-aside"
    key_template = "container-aside:{engine}:{name}"
    description = text("stop the {engine} container {name} and keep it as {aside}")
    engine: EngineName
    name: str
    aside: str
    for_good: bool = True

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self._state(host, self.aside) is not None

    @override
    def capture(self, host: Host) -> JsonObject:
        found = self._state(host, self.name)
        return {"restart_policy": "no" if found is None else found.restart_policy}

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Set it aside. Raises EngineError `vendor-container-vanished` if neither name exists."""
        if self._state(host, self.aside) is not None:
            return
        found = self._state(host, self.name)
        if found is None:
            raise EngineError(
                "vendor-container-vanished",
                "the {engine} container {name} is in the plan, but no longer exists",
                hint="Go back with `mstunnel-setup adopt rollback`.",
                name=self.name,
                engine=self.engine,
            )
        if self.for_good and found.restart_policy != "no":
            self._do(host, "update", "--restart=no", self.name)
        if found.running:
            self._do(host, "stop", self.name)
        self._do(host, "rename", self.name, self.aside)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        if self._state(host, self.aside) is not None:
            self._do(host, "rename", self.aside, self.name)
        found = self._state(host, self.name)
        if found is None:
            return Undone(Undo.KEPT, f"the {self.engine} container {self.name} was removed by others")
        policy = str(record.before.get("restart_policy", "no"))
        if found.restart_policy != policy:
            self._do(host, "update", f"--restart={policy}", self.name)
        return Undone(Undo.RESTORED)

    def _state(self, host: Host, name: str) -> VendorContainer | None:
        return inspect(host.processes, self.engine, name)

    def _do(self, host: Host, *arguments: str) -> None:
        host.processes.run((self.engine, *arguments), timeout=_ENGINE_SECONDS)
