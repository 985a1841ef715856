"""Actions on files: directory, file, JSON file, copy, link, and composites of these.

An earlier file is saved in `<state directory>/saved/` under its digest, and restored by undo.
"""

import hashlib
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue, Outputs, as_object, json_bytes, resolve
from mstunnel_setup.io.errors import PATH_NOT_REGULAR
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord


class MakeDirectory(Action):
    """Create a directory. Undo removes it if it is empty."""

    kind = "make-directory"
    key_template = "directory:{path}"
    description = text("create directory {path}")
    path: str
    mode: int = 0o755

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        state = host.files.state(self.path)
        return state is not None and state.kind == "directory"

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Create the directory, or set the mode that an interrupted run has not set."""
        host.files.make_directory(self.path, self.mode)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        if host.files.state(self.path) is None:
            return Undone(Undo.ABSENT)
        if host.files.remove_directory(self.path):
            return Undone(Undo.REMOVED)
        return Undone(Undo.KEPT, f"{self.path} contains files that mstunnel-setup did not write")


def directories(path: str) -> list[MakeDirectory]:
    """Return actions for `path` and its parents, except the first (`/etc`, `/home`), which always exists."""
    pure = PurePosixPath(path)
    return [MakeDirectory(path=str(directory)) for directory in [*reversed(pure.parents), pure][2:]]


class FileAction(Action):
    """Create one file. An earlier file is saved, and restored by undo."""

    key_template = "file:{path}"
    path: str

    @override
    def capture(self, host: Host) -> JsonObject:
        return save(host, self.path)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        return put_back(host, self.path, record.before)


class PlacedFile(FileAction):
    """Write a file with known content. The agent changes `managed` files, so undo always removes those."""

    mode: int = 0o644
    managed: bool = False

    @abstractmethod
    def content(self, host: Host, outputs: Outputs) -> bytes:
        """Return the content to write."""

    @abstractmethod
    def content_digest(self, outputs: Outputs) -> str:
        """Return the SHA-256 of `content` in hex, without reading anything."""

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        state = host.files.state(self.path)
        if state is None or state.kind != "file" or state.mode != self.mode:
            return False
        return self._has_content(host, outputs)

    def _has_content(self, host: Host, outputs: Outputs) -> bool:
        return host.files.digest(self.path) == self.content_digest(outputs)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        host.files.write(self.path, self.content(host, outputs), self.mode)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Restore the earlier file, unless others have changed this one since, or made it a link."""
        if not self.managed and _is_link(host, self.path):
            return Undone(Undo.KEPT, _edited(self.path))
        current = host.files.digest(self.path)
        if not self.managed and current not in _ours(record):
            return Undone(Undo.KEPT, _edited(self.path))
        return super().undo(host, record)

    @override
    def changed(self, host: Host, record: UndoRecord) -> str:
        """Return an edit by others; a removed file is written again without asking."""
        current = host.files.digest(self.path)
        lost = not self.managed and current is not None and current not in _ours(record)
        return _edited(self.path) if lost else ""


class WriteFile(PlacedFile):
    """Write a text file."""

    kind = "write-file"
    description = text("write {path}")
    text: str

    @override
    def content(self, host: Host, outputs: Outputs) -> bytes:
        return self.text.encode()

    @override
    def content_digest(self, outputs: Outputs) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


class MergeFile(WriteFile):
    """Write a text that was merged with the current file, so that no edit of others is lost."""

    kind = "merge-file"

    @override
    def changed(self, host: Host, record: UndoRecord) -> str:
        """Return nothing: the text already contains the edits of others."""
        return ""


class WriteJson(PlacedFile):
    """Write a JSON file; `value` may refer to results of earlier actions."""

    kind = "write-json"
    description = text("write {path}")
    value: JsonValue

    @override
    def content(self, host: Host, outputs: Outputs) -> bytes:
        return json_bytes(resolve(self.value, outputs))

    @override
    def resolved(self, outputs: Outputs) -> "WriteJson":
        return replace(self, value=resolve(self.value, outputs))

    @override
    def content_digest(self, outputs: Outputs) -> str:
        return hashlib.sha256(json_bytes(resolve(self.value, outputs))).hexdigest()


class CopyFile(PlacedFile):
    """Copy a file that an administrator named. The journal gets only its digest, so it may be secret."""

    kind = "copy-file"
    description = text("copy {source} to {path}")
    source: str
    digest: str

    @override
    def _has_content(self, host: Host, outputs: Outputs) -> bool:
        """Skip reading a file that is its own source, such as the running program."""
        itself = str(host.files.locate(self.path)) == self.source
        return itself or super()._has_content(host, outputs)

    @override
    def content(self, host: Host, outputs: Outputs) -> bytes:
        """Return the source; StepError `source-changed` if it differs from the checked file."""
        content = host.files.read_given(self.source)
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


class Link(Action):
    """Create a symbolic link in place of an older link or of a file, which undo restores.

    A file in place of our link counts as an edit by others: `sed -i` creates one.
    """

    kind = "link"
    key_template = "link:{path}"
    description = text("link {path} to {target}")
    depends_on_newer = True  # on its target
    path: str
    target: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        state = host.files.state(self.path)
        return state is not None and state.target == self.target

    @override
    def capture(self, host: Host) -> JsonObject:
        state = host.files.state(self.path)
        kept = save(host, self.path) if state and state.kind == "file" else {"digest": None}
        return {"target": state.target if state else None, **kept}

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        """Switch the link. A file that was not saved is kept: FileError `path-not-regular`."""
        state = host.files.state(self.path)
        if state is not None and state.kind == "file":
            saved = f"{host.state_directory}/saved/{host.files.digest(self.path)}"
            if host.files.state(saved) is not None:
                host.files.remove(self.path)
        host.files.link(self.path, self.target)

    @override
    def changed(self, host: Host, record: UndoRecord) -> str:
        """Return a foreign target or a replaced link; a removed link is created again without asking."""
        state = host.files.state(self.path)
        if state is None:
            return ""
        if state.kind == "link":
            targets = [version.target for version in record.versions if isinstance(version, Link)]
            ours = state.target in (record.before.get("target"), *targets)
        else:
            # The first run may have found a file.
            digest = record.before.get("digest")
            ours = state.kind == "file" and digest is not None and host.files.digest(self.path) == digest
        return "" if ours else _edited(self.path)

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        state = host.files.state(self.path)
        if self.changed(host, record):
            return Undone(Undo.KEPT, _edited(self.path))
        if state is not None and state.kind != "link":
            return Undone(Undo.RESTORED)  # a run was interrupted before it removed the file
        before = record.before.get("target")
        if isinstance(before, str) and state is not None:
            host.files.link(self.path, before)
            return Undone(Undo.RESTORED)
        # Even without a link, an interrupted switch may have left a temporary file.
        host.files.remove(self.path)
        if not isinstance(before, str) and record.before.get("digest") is not None:
            return put_back(host, self.path, record.before)
        return Undone(Undo.ABSENT if state is None else Undo.REMOVED)


class LinkInPlace(Link):
    """A `Link`, under the kind that older journals use for the vendor's names of the agent's files."""

    kind = "link-in-place"


class Composite(Action):
    """An action that writes files and makes the host apply them."""

    @property
    @abstractmethod
    def parts(self) -> Mapping[str, Action]:
        """The actions that write the files, by the names of their earlier states in the journal.

        A single part may have an empty name: its earlier state is then the record itself.
        """

    def prepare(self, host: Host, outputs: Outputs) -> None:
        """Prepare the files; an error here leaves everything unchanged."""

    def take_up(self, host: Host) -> None:
        """Have the host apply the files, after they were written or restored."""

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return all(part.satisfied(host, outputs) for part in self.parts.values())

    @override
    def capture(self, host: Host) -> JsonObject:
        found: JsonObject = {name: part.capture(host) for name, part in self.parts.items()}
        return as_object(found[""]) if "" in found else found

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        self.prepare(host, outputs)
        for part in self.parts.values():
            part.apply(host, outputs)
        self.take_up(host)

    @override
    def changed(self, host: Host, record: UndoRecord) -> str:
        """Return an edit of a file by others; a removed file is written again without asking."""
        changes = (part.changed(host, _of_part(name, record)) for name, part in self.parts.items())
        return next(filter(None, changes), "")

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Restore the earlier files, last one first, unless others have changed ours since.

        Even with no file left the host applies the change: an undo may have been interrupted before that.
        """
        parts = [*self.parts.items()]
        undone = [part.undo(host, _of_part(name, record)) for name, part in reversed(parts)]
        if any(each.outcome is not Undo.KEPT for each in undone):
            self.take_up(host)
        return next((each for each in undone if each.outcome is Undo.KEPT), undone[-1])


def _of_part(name: str, record: UndoRecord) -> UndoRecord:
    versions = [version.parts for version in record.versions if isinstance(version, Composite)]
    before = as_object(record.before[name]) if name else record.before
    return UndoRecord(before, [parts[name] for parts in versions if name in parts], record.outputs)


def save(host: Host, path: str) -> JsonObject:
    """Save the file at `path` and return the data that `put_back` needs to restore it.

    Raises FileError `path-not-regular` for a link, which could not be overwritten, before anything is
    recorded.
    """
    if _is_link(host, path):
        raise PATH_NOT_REGULAR(
            verb=text("write"), path=path, kind=text("link"), expected=text("regular file")
        )
    content = host.files.read(path)
    state = host.files.state(path)
    if content is None or state is None:
        return {"digest": None}
    digest = hashlib.sha256(content).hexdigest()
    directory = f"{host.state_directory}/saved"
    host.files.make_directories(directory, 0o700)
    host.files.write(f"{directory}/{digest}", content, 0o600)
    return {"digest": digest, "mode": state.mode, "uid": state.uid, "gid": state.gid}


def put_back(host: Host, path: str, before: JsonObject) -> Undone:
    """Restore content, mode and owner of the saved file, or remove the file if there was none."""
    digest = before["digest"]
    if digest is None:
        existed = host.files.state(path) is not None
        host.files.remove(path)
        return Undone(Undo.REMOVED if existed else Undo.ABSENT)
    content = host.files.read(f"{host.state_directory}/saved/{digest}")
    if content is None:
        return Undone(Undo.KEPT, f"the saved content of {path} is missing")
    mode, uid, gid = (int(str(before[name])) for name in ("mode", "uid", "gid"))
    host.files.write(path, content, mode, (uid, gid))
    return Undone(Undo.RESTORED)


def _edited(path: str) -> str:
    return text("{path} was changed outside mstunnel-setup", path=path)


def _is_link(host: Host, path: str) -> bool:
    state = host.files.state(path)
    return state is not None and state.kind == "link"


def _ours(record: UndoRecord) -> Sequence[str | None]:
    """Return the digests that the file has if nobody else has changed it."""
    versions = [version for version in record.versions if isinstance(version, PlacedFile)]
    digests = [version.content_digest(record.outputs) for version in versions]
    before = record.before["digest"]
    return [*digests, None if before is None else str(before)]
