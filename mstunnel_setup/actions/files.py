"""Actions on files: directory, file, JSON file, copy, link.

An earlier file is saved in `<state directory>/saved/` under its digest, and restored by undo.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import ClassVar, TypeVar

from typing_extensions import override

from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue, Outputs, json_bytes, resolve
from mstunnel_setup.io.errors import PATH_NOT_REGULAR
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles

Place = TypeVar("Place", bound=HasFiles, contravariant=True)
"""The ports of an action that needs at least files."""


@dataclass(frozen=True, kw_only=True)
class MakeDirectory(Action[HasFiles]):
    """Create a directory. Undo removes it if it is empty."""

    kind: ClassVar[str] = "make-directory"
    path: str
    mode: int = 0o755

    @property
    @override
    def key(self) -> str:
        return f"directory:{self.path}"

    @override
    def describe(self) -> str:
        return text("create directory {path}", path=self.path)

    @override
    def satisfied(self, ports: HasFiles, outputs: Outputs) -> bool:
        state = ports.files.state(self.path)
        return state is not None and state.kind == "directory"

    @override
    def apply(self, ports: HasFiles, outputs: Outputs) -> JsonObject:
        """Create it, or set the mode that an interrupted run has not set."""
        ports.files.make_directory(self.path, self.mode)
        return {}

    @override
    def undo(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        """Remove it, unless it is not empty."""
        if ports.files.state(self.path) is None:
            return Undone(Undo.ABSENT)
        if ports.files.remove_directory(self.path):
            return Undone(Undo.REMOVED)
        return Undone(Undo.KEPT, f"{self.path} contains files that mstunnel-setup did not write")


def directories(path: str) -> list[MakeDirectory]:
    """The directory `path` and its parents, except the first (`/etc`, `/home`), which every host has."""
    pure = PurePosixPath(path)
    return [MakeDirectory(path=str(directory)) for directory in [*reversed(pure.parents), pure][2:]]


@dataclass(frozen=True, kw_only=True)
class FileAction(Action[Place]):
    """Makes one file. An earlier file is saved, and restored by undo."""

    path: str

    @property
    @override
    def key(self) -> str:
        return f"file:{self.path}"

    @override
    def capture(self, ports: Place) -> JsonObject:
        return save(ports, self.path)

    @override
    def undo(self, ports: Place, record: UndoRecord[Place]) -> Undone:
        return put_back(ports, self.path, record.before)


@dataclass(frozen=True, kw_only=True)
class PlacedFile(FileAction[Place]):
    """A file with known content. The agent changes `managed` files later, so undo always removes those."""

    mode: int = 0o644
    managed: bool = False

    @abstractmethod
    def content(self, ports: Place, outputs: Outputs) -> bytes:
        """The content to write."""

    @abstractmethod
    def content_digest(self, outputs: Outputs) -> str:
        """SHA-256 in hex of `content`, known without reading anything."""

    @override
    def satisfied(self, ports: Place, outputs: Outputs) -> bool:
        state = ports.files.state(self.path)
        if state is None or state.kind != "file" or state.mode != self.mode:
            return False
        return self._has_content(ports, outputs)

    def _has_content(self, ports: Place, outputs: Outputs) -> bool:
        return ports.files.digest(self.path) == self.content_digest(outputs)

    @override
    def apply(self, ports: Place, outputs: Outputs) -> JsonObject:
        ports.files.write(self.path, self.content(ports, outputs), self.mode)
        return {}

    @override
    def undo(self, ports: Place, record: UndoRecord[Place]) -> Undone:
        """Restore the earlier file, unless others have changed this one since, or made it a link."""
        if not self.managed and _is_link(ports, self.path):
            return Undone(Undo.KEPT, _edited(self.path))
        current = ports.files.digest(self.path)
        if not self.managed and current not in _ours(record):
            return Undone(Undo.KEPT, _edited(self.path))
        return super().undo(ports, record)

    @override
    def changed(self, ports: Place, record: UndoRecord[Place]) -> str:
        """An edit by others; a removed file is written again without asking."""
        current = ports.files.digest(self.path)
        lost = not self.managed and current is not None and current not in _ours(record)
        return _edited(self.path) if lost else ""


@dataclass(frozen=True, kw_only=True)
class WriteFile(PlacedFile[HasFiles]):
    """Write a text file."""

    kind: ClassVar[str] = "write-file"
    text: str

    @override
    def describe(self) -> str:
        return text("write {path}", path=self.path)

    @override
    def content(self, ports: HasFiles, outputs: Outputs) -> bytes:
        return self.text.encode()

    @override
    def content_digest(self, outputs: Outputs) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class MergeFile(WriteFile):
    """Write a text that was merged with the current file, so that no edit of others is lost."""

    kind: ClassVar[str] = "merge-file"

    @override
    def changed(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> str:
        """Edits of others are part of the text."""
        return ""


@dataclass(frozen=True, kw_only=True)
class WriteJson(PlacedFile[HasFiles]):
    """Write a JSON file; `value` may refer to results of earlier actions."""

    kind: ClassVar[str] = "write-json"
    value: JsonValue

    @override
    def describe(self) -> str:
        return text("write {path}", path=self.path)

    @override
    def content(self, ports: HasFiles, outputs: Outputs) -> bytes:
        return json_bytes(resolve(self.value, outputs))

    @override
    def resolved(self, outputs: Outputs) -> "WriteJson":
        return replace(self, value=resolve(self.value, outputs))

    @override
    def content_digest(self, outputs: Outputs) -> str:
        return hashlib.sha256(json_bytes(resolve(self.value, outputs))).hexdigest()


@dataclass(frozen=True, kw_only=True)
class CopyFile(PlacedFile[HasFiles]):
    """Copy a file that an administrator named. The journal gets only its digest, so it may be secret."""

    kind: ClassVar[str] = "copy-file"
    source: str
    digest: str

    @override
    def describe(self) -> str:
        return text("copy {source} to {path}", source=self.source, path=self.path)

    @override
    def _has_content(self, ports: HasFiles, outputs: Outputs) -> bool:
        """A file that is its own source, as the program that runs from its place, need not be read again."""
        itself = str(ports.files.locate(self.path)) == self.source
        return itself or super()._has_content(ports, outputs)

    @override
    def content(self, ports: HasFiles, outputs: Outputs) -> bytes:
        """The source; StepError `source-changed` when it is no longer the file that was checked."""
        content = ports.files.read_given(self.source)
        if content is None or hashlib.sha256(content).hexdigest() != self.digest:
            raise StepError(
                "source-changed",
                "{path} has changed since it was checked",
                hint="Run the command again to check the new file.",
                path=self.source,
            )
        return content

    @override
    def content_digest(self, outputs: Outputs) -> str:
        return self.digest


@dataclass(frozen=True, kw_only=True)
class Link(Action[HasFiles]):
    """Make a symbolic link in place of an older link or of a file, which undo restores.

    A file in place of a link that we made is an edit by others: `sed -i` makes one.
    """

    kind: ClassVar[str] = "link"
    depends_on_newer: ClassVar[bool] = True  # on its target
    path: str
    target: str

    @property
    @override
    def key(self) -> str:
        return f"link:{self.path}"

    @override
    def describe(self) -> str:
        return text("link {path} to {target}", path=self.path, target=self.target)

    @override
    def satisfied(self, ports: HasFiles, outputs: Outputs) -> bool:
        state = ports.files.state(self.path)
        return state is not None and state.target == self.target

    @override
    def capture(self, ports: HasFiles) -> JsonObject:
        state = ports.files.state(self.path)
        kept = save(ports, self.path) if state and state.kind == "file" else {"digest": None}
        return {"target": state.target if state else None, **kept}

    @override
    def apply(self, ports: HasFiles, outputs: Outputs) -> JsonObject:
        """Switch the link. A file that was not saved stays: FileError `path-not-regular`."""
        if _is_kept(ports, self.path):
            ports.files.remove(self.path)
        ports.files.link(self.path, self.target)
        return {}

    @override
    def changed(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> str:
        """Another target than ours, or no link any more; a removed link is made again without asking."""
        state = ports.files.state(self.path)
        if state is None:
            return ""
        targets = [version.target for version in record.versions if isinstance(version, Link)]
        ours = (
            state.target in (record.before.get("target"), *targets)
            if state.kind == "link"
            else self._is_earlier_file(ports, record)
        )
        return "" if ours else _edited(self.path)

    @override
    def undo(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> Undone:
        state = ports.files.state(self.path)
        if self.changed(ports, record):
            return Undone(Undo.KEPT, _edited(self.path))
        if state is not None and state.kind != "link":
            return Undone(Undo.RESTORED)  # a run was interrupted before it removed the file
        before = record.before.get("target")
        if isinstance(before, str):
            return self._pointed_back(ports, before)
        # Also without a link: an interrupted switch may have left a temporary file.
        ports.files.remove(self.path)
        if record.before.get("digest") is not None:
            return put_back(ports, self.path, record.before)
        return Undone(Undo.ABSENT if state is None else Undo.REMOVED)

    def _pointed_back(self, ports: HasFiles, before: str) -> Undone:
        """Restore the earlier target; a link that was removed since stays removed."""
        if ports.files.state(self.path) is None:
            ports.files.remove(self.path)
            return Undone(Undo.ABSENT)
        ports.files.link(self.path, before)
        return Undone(Undo.RESTORED)

    def _is_earlier_file(self, ports: HasFiles, record: UndoRecord[HasFiles]) -> bool:
        """Whether the current file is the one that the first run found."""
        state, digest = ports.files.state(self.path), record.before.get("digest")
        regular = state is not None and state.kind == "file"
        return regular and digest is not None and ports.files.digest(self.path) == digest


@dataclass(frozen=True, kw_only=True)
class LinkInPlace(Link):
    """`Link` under the kind that journals use for the reference names of the agent's files."""

    kind: ClassVar[str] = "link-in-place"


def save(ports: HasFiles, path: str) -> JsonObject:
    """Save the file at `path`; returns the data that `put_back` needs to restore it.

    Raises FileError `path-not-regular` for a link, before anything is recorded: it would not be written over.
    """
    if _is_link(ports, path):
        raise PATH_NOT_REGULAR(verb="write", path=path, kind="link", expected=text("regular file"))
    content = ports.files.read(path)
    state = ports.files.state(path)
    if content is None or state is None:
        return {"digest": None}
    digest = hashlib.sha256(content).hexdigest()
    directory = f"{ports.state_directory}/saved"
    ports.files.make_directories(directory, 0o700)
    ports.files.write(f"{directory}/{digest}", content, 0o600)
    return {"digest": digest, "mode": state.mode, "uid": state.uid, "gid": state.gid}


def put_back(ports: HasFiles, path: str, before: JsonObject) -> Undone:
    """Restore content, mode and owner of the file that `save` saw, or remove it if there was none."""
    digest = before["digest"]
    if digest is None:
        existed = ports.files.state(path) is not None
        ports.files.remove(path)
        return Undone(Undo.REMOVED if existed else Undo.ABSENT)
    content = ports.files.read(f"{ports.state_directory}/saved/{digest}")
    if content is None:
        return Undone(Undo.KEPT, f"the saved content of {path} is missing")
    mode, uid, gid = (int(str(before[name])) for name in ("mode", "uid", "gid"))
    ports.files.write(path, content, mode, (uid, gid))
    return Undone(Undo.RESTORED)


def _edited(path: str) -> str:
    return text("{path} was changed outside mstunnel-setup", path=path)


def _is_link(ports: HasFiles, path: str) -> bool:
    state = ports.files.state(path)
    return state is not None and state.kind == "link"


def _is_kept(ports: HasFiles, path: str) -> bool:
    """Whether the file at `path` was saved."""
    state = ports.files.state(path)
    if state is None or state.kind != "file":
        return False
    return ports.files.state(f"{ports.state_directory}/saved/{ports.files.digest(path)}") is not None


def _ours(record: UndoRecord[Place]) -> Sequence[str | None]:
    """Digests of the file as long as only we have changed it."""
    versions = [version for version in record.versions if isinstance(version, PlacedFile)]
    digests = [version.content_digest(record.outputs) for version in versions]
    before = record.before["digest"]
    return [*digests, None if before is None else str(before)]
