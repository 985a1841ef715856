"""The journal: an append-only, checksummed, synced record of every change to the host.

One JSON object per line: `{"version", "sequence", "time", "type", ..., "checksum"}`. The checksum is the
SHA-256 of the line without it, the sequence the number of the line, so that a line that was lost, copied or
moved is noticed. An incomplete last line (crash) is dropped; other damage is an error.

A large journal is compacted: rewritten with the records that its receipt needs. So is one that all users
can read, at any size.
"""

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import PurePosixPath

from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue, as_list
from mstunnel_setup.io.appender import Appender
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.errors import JOURNAL_NEWER, JournalError
from mstunnel_setup.transaction.receipt import Receipt, fold

VERSION = 1
VERSIONS = 4
"""How many versions of an object are kept, besides the one that made it."""
LARGE = 64 * 1024
"""Bytes; a smaller journal is not compacted. An installation writes about 30 KiB; each command reads all."""


class Journal:
    """The records in `directory`/journal.jsonl. Nothing is created before the first record is written.

    From then on the file stays open until `close`: a record costs one write and one sync. The writer must
    hold the lock of the run. A `readable` journal can be read by all users, so it must get no secret. The
    first record names the missing parents of `directory` and of the `beside` directories.
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
        self._readable = readable
        self._modes = (0o755, 0o644) if readable else (0o700, 0o600)
        self._appender: Appender | None = None
        self.directory = directory
        self.path = f"{directory}/journal.jsonl"
        self._records, self._sound, self._receipt = _parse(files.read(self.path) or b"", self.path)
        self._above = self._directories_above(directory, *beside)

    @property
    def records(self) -> tuple[JsonObject, ...]:
        """All records, oldest first."""
        return tuple(self._records)

    @property
    def receipt(self) -> Receipt:
        """The folded records."""
        return self._receipt

    @property
    def installation_id(self) -> str | None:
        """The id of this installation, from the first record."""
        return str(self._records[0]["installation"]) if self._records else None

    def begin_installation(self) -> None:
        """Record the id of a new installation when the journal is empty."""
        if self.installation_id is None:
            self.append("installation", installation=str(uuid.uuid4()), folders=[*self._above])

    def append(self, kind: str, **fields: JsonValue) -> None:
        """Write one record; it is on disk when this returns."""
        record: JsonObject = {
            "version": VERSION,
            "sequence": len(self._records) + 1,
            "time": self._clock.now().isoformat(timespec="milliseconds"),
            "type": kind,
            **fields,
        }
        line = _line(record)
        appender = self._appender or self._open()
        # An incomplete record of a crash or a failed write.
        if appender.size() > self._sound:
            appender.truncate(self._sound)
        appender.append(line)
        self._sound += len(line)
        self._records.append(record)
        self._receipt = fold([record], self._receipt)

    def compact(self) -> None:
        """Rewrite a large journal without superseded records, if they are at least half of it.

        One that all users can read loses them at once: what an undone object held may be a secret. The
        file is replaced atomically.
        """
        if self._sound <= LARGE and not self._readable:
            return
        kept = essential(self._records)
        content = b"".join(map(_line, kept))
        if kept == self._records or (2 * len(content) > self._sound and not self._readable):
            if self._readable and self._records:
                # An earlier release left it closed to others where the umask did.
                (self._appender or self._open()).open_to_all()
            return
        self.close()
        self._files.write(self.path, content, self._modes[1])
        self._records, self._sound, self._receipt = kept, len(content), fold(kept)

    def _open(self) -> Appender:
        self._files.make_directories(self.directory, self._modes[0])
        self._appender = self._opened.enter_context(self._files.appender(self.path, self._modes[1]))
        if self._readable and not self._records:
            self._appender.open_to_all()
        return self._appender

    def _directories_above(self, *places: str) -> list[str]:
        """The parents of these directories that were missing before the first record, topmost first."""
        if self._records:
            recorded = self._records[0].get("folders")
            return [str(directory) for directory in recorded] if isinstance(recorded, list) else []
        above = [str(PurePosixPath(place).parent) for place in places]
        return list(dict.fromkeys(directory for place in above for directory in self._files.missing(place)))

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        self._appender = None
        self._opened.close()

    def remove(self) -> None:
        """Delete the journal, at the end of an uninstallation; nothing happens when there is none."""
        self.close()
        self._files.remove(self.path)
        for directory in (self.directory, *reversed(self._above)):
            self._files.remove_directory(directory)
        self._records, self._sound, self._receipt = [], 0, Receipt()


def _line(record: JsonObject) -> bytes:
    text = json.dumps(record, separators=(",", ":"))
    checksum = hashlib.sha256(text.encode()).hexdigest()
    return f'{text[:-1]},"checksum":"{checksum}"}}\n'.encode()


def _parse(content: bytes, path: str) -> tuple[list[JsonObject], int, Receipt]:
    """The records, how many bytes of `content` are intact, and the receipt."""
    records: list[JsonObject] = []
    receipt = Receipt()
    sound = 0
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        record = _record(line)
        if record is None:
            last = sound + len(line) == len(content)
            # A crash leaves the last line without line end, or with a hole of zero bytes.
            if not last or (line.endswith(b"\n") and b"\0" not in line):
                raise _damaged(path, number, "its checksum is wrong")
            break
        if record.get("version") != VERSION:
            raise JOURNAL_NEWER(
                reason=text(
                    "{path} has format {version}, supported is {supported}",
                    path=path,
                    version=record.get("version"),
                    supported=VERSION,
                )
            )
        if record.get("sequence") != number:
            problem = f"it has the sequence number {record.get('sequence')}"
            raise _damaged(path, number, problem)
        try:
            receipt = fold([record], receipt)
        except (KeyError, TypeError, ValueError) as error:
            problem = "it does not follow from the lines before it"
            raise _damaged(path, number, problem) from error
        records.append(record)
        sound += len(line)
    return records, sound, receipt


def _damaged(path: str, number: int, problem: str) -> JournalError:
    return JournalError(
        "journal-damaged",
        "{path} is damaged at line {number}: {problem}",
        hint="Restore it from a backup: without it the installation cannot be continued or removed safely.",
        path=path,
        number=number,
        problem=problem,
    )


def _record(line: bytes) -> JsonObject | None:
    """The record on a line; None when the line is incomplete or its checksum is wrong."""
    try:
        record: JsonObject = json.loads(line)  # noqa: TID251 (our journal: its checksum is of this text)
    except (ValueError, RecursionError):
        return None
    checksum = record.pop("checksum", None) if isinstance(record, dict) else None
    return record if checksum is not None and _line(record) == line else None


def essential(records: Sequence[JsonObject]) -> list[JsonObject]:
    """The records that the receipt needs, in order, renumbered from 1."""
    objects: dict[str, list[int]] = defaultdict(list)
    steps: dict[str, int] = {}
    failure: list[int] = []
    kept: set[int] = set()
    for number, record in enumerate(records):
        kind, key = record["type"], record.get("key")
        if kind in ("undone", "taken-back", "released"):
            for gone in as_list(record.get("keys", [key])):
                objects.pop(str(gone), None)
        elif key is not None:
            objects[str(key)].append(number)
        elif kind == "step":
            steps.setdefault(str(record["step"]), number)
        elif kind != "failed":
            # The first record, and unknown kinds of newer versions.
            kept.add(number)
        if kind == "undone":
            steps.clear()
        if kind in ("undone", "step", "failed"):
            failure = [number] if kind == "failed" else []
    kept.update(steps.values(), failure, *(_of_object(numbers, records) for numbers in objects.values()))
    return [
        {**records[number], "sequence": sequence} for sequence, number in enumerate(sorted(kept), start=1)
    ]


def _of_object(numbers: Sequence[int], records: Sequence[JsonObject]) -> set[int]:
    """The records of one object that its entry in the receipt needs."""
    begun = [number for number in numbers if records[number]["type"] == "begin"]
    done = [number for number in numbers if records[number]["type"] == "done"]
    made = done[:1]
    # The records that made it hold the state before, and its age.
    making = [number for number in begun if not made or number < made[0]]
    versions = {json.dumps(records[number]["action"]): number for number in begun}
    latest = sorted(versions.values())[-VERSIONS:]
    others = set(numbers).difference(begun, done)
    return {*making[:1], *making[-1:], *made, *done[-1:], *latest, *others}
