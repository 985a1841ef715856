"""The journal: an append-only, checksummed, synced record of everything the program did to the host.

One JSON object a line: `{"version", "sequence", "time", "type", ..., "checksum"}`. The checksum is the
SHA-256 of the line without it. A last line cut off by a crash is dropped; damage anywhere else is refused.

A journal that has grown large is compacted: rewritten with the records that its receipt rests on.
"""

import hashlib
import json
import uuid
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import PurePosixPath
from typing import cast

from mstunnel_setup.engine.compaction import essential
from mstunnel_setup.engine.receipt import Receipt, fold
from mstunnel_setup.engine.values import JsonObject, JsonValue
from mstunnel_setup.errors import StepError
from mstunnel_setup.host.appender import Appender
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.files import Files

VERSION = 1
LARGE = 256 * 1024
"""Bytes; a smaller journal is never compacted. One installation writes about 30 KiB."""


class JournalError(StepError):
    """The journal cannot be read."""


class Journal:
    """The records in `directory`/journal.jsonl. Nothing is created before the first record is written.

    From then on the file stays open until `close`, so that a record costs one write and one sync. Whoever
    appends holds the lock of the run: nobody else writes in between. A `readable` one is for all to read.
    The first record names the folders above it, and above the `beside` ones, that were not there yet.
    """

    def __init__(
        self,
        files: Files,
        clock: Clock,
        directory: str,
        *,
        beside: Sequence[str] = (),
        readable: bool = False,
    ) -> None:
        self._files = files
        self._clock = clock
        self._opened = ExitStack()
        self._modes = (0o755, 0o644) if readable else (0o700, 0o600)
        self._appender: Appender | None = None
        self.directory = directory
        self.path = f"{directory}/journal.jsonl"
        self._records, self._sound = _parse(files.read(self.path) or b"", self.path)
        self._receipt = fold(self._records)
        self._above = self._folders_above(directory, *beside)

    @property
    def records(self) -> tuple[JsonObject, ...]:
        """All records, oldest first."""
        return tuple(self._records)

    @property
    def receipt(self) -> Receipt:
        """What the records amount to."""
        return self._receipt

    @property
    def installation_id(self) -> str | None:
        """The id given to this installation by its first record."""
        return str(self._records[0]["installation"]) if self._records else None

    def begin_installation(self) -> str:
        """The id of the installation; a new one is recorded when the journal is empty."""
        if self.installation_id is None:
            self.append("installation", installation=str(uuid.uuid4()), folders=[*self._above])
        return str(self.installation_id)

    def append(self, kind: str, **fields: JsonValue) -> None:
        """Write one record; it is on the disk when this returns."""
        record: JsonObject = {
            "version": VERSION,
            "sequence": len(self._records) + 1,
            "time": self._clock.now().isoformat(timespec="milliseconds"),
            "type": kind,
            **fields,
        }
        line = _line(record)
        appender = self._appender or self._open()
        # What a crash, or a write that failed, has left of a record.
        if appender.size() > self._sound:
            appender.truncate(self._sound)
        appender.append(line)
        self._sound += len(line)
        self._records.append(record)
        self._receipt = fold([record], self._receipt)

    def compact(self) -> None:
        """Rewrite a large journal without the records that no longer count, if they are at least half of it.

        The new file replaces the old one in one step, so that a crash leaves one of them, whole.
        """
        if self._sound <= LARGE:
            return
        kept = essential(self._records)
        content = b"".join(map(_line, kept))
        if 2 * len(content) > self._sound:
            return
        self.close()
        self._files.write(self.path, content, self._modes[1])
        self._records, self._sound, self._receipt = kept, len(content), fold(kept)

    def _open(self) -> Appender:
        self._files.make_directories(self.directory, self._modes[0])
        self._appender = self._opened.enter_context(self._files.appender(self.path, self._modes[1]))
        return self._appender

    def _folders_above(self, *places: str) -> list[str]:
        """The folders above these places that were not there before the first record, topmost first."""
        if self._records:
            return cast("list[str]", self._records[0].get("folders", []))
        above = [str(PurePosixPath(place).parent) for place in places]
        return list(dict.fromkeys(folder for place in above for folder in self._files.missing(place)))

    def close(self) -> None:
        """Let go of the file; a later record opens it again."""
        self._appender = None
        self._opened.close()

    def remove(self) -> None:
        """Forget everything: the last act of an uninstallation. Nothing happens when nothing is there."""
        self.close()
        self._files.remove(self.path)
        for folder in (self.directory, *reversed(self._above)):
            self._files.remove_directory(folder)
        self._records, self._sound, self._receipt = [], 0, Receipt()


def _line(record: JsonObject) -> bytes:
    text = json.dumps(record, separators=(",", ":"))
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return f'{text[:-1]},"checksum":"{checksum}"}}\n'.encode()


def _parse(content: bytes, path: str) -> tuple[list[JsonObject], int]:
    """The records, and how many bytes of `content` are sound."""
    records: list[JsonObject] = []
    sound = 0
    for line in content.splitlines(keepends=True):
        record = _record(line)
        if record is None:
            last = sound + len(line) == len(content)
            if not (last and _torn(line)):
                raise JournalError(
                    "journal-damaged",
                    f"{path} is damaged at record {len(records) + 1}",
                    "Restore it from a backup; without it nothing can be continued or removed safely.",
                )
            break
        _refuse_newer(record, path)
        records.append(record)
        sound += len(line)
    return records, sound


def _record(line: bytes) -> JsonObject | None:
    """The record on a line; None when the line is cut off or its checksum is wrong."""
    try:
        record: JsonObject = json.loads(line)
    except (ValueError, RecursionError):
        return None
    checksum = record.pop("checksum", None) if isinstance(record, dict) else None
    return record if checksum is not None and _line(record) == line else None


def _torn(line: bytes) -> bool:
    """Whether a crash has left it: without its end, or with a hole where the disk has only later parts."""
    return not line.endswith(b"\n") or b"\0" in line


def _refuse_newer(record: JsonObject, path: str) -> None:
    if record.get("version") != VERSION:
        raise JournalError(
            "journal-newer",
            f"{path} was written by a newer version (format {record.get('version')}, known is {VERSION})",
            "Use the version of mstunnel-setup that wrote it, or a newer one.",
        )
