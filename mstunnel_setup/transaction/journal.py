"""The journal: an append-only, checksummed, synced record of every change to the host.

One JSON object per line: `{"version", "sequence", "time", "type", ..., "checksum"}`. The checksum is the
SHA-256 of the line without it, the sequence the number of the line, which reveals lost, copied and moved
lines. An incomplete last line (crash) is dropped; other damage is an error.

A large journal is compacted: rewritten with the records that its receipt needs. So is one that all users can
read, at any size.

Each run leaves a copy next to the journal. A damaged journal is restored if journal and copy together have
every line. Until then, read-only commands work with the intact lines (`despite_damage`).
"""

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
from mstunnel_setup.transaction.errors import JournalError
from mstunnel_setup.transaction.receipt import Receipt, fold
from mstunnel_setup.transaction.records import VERSION, Remains, damaged, line_of, parse, remains

VERSIONS = 4
"""The number of versions of an object that are kept, besides the one that created it."""
LARGE = 64 * 1024
"""Bytes; a smaller journal is not compacted.

An installation writes about 30 KiB; every command reads it all.
"""


class Journal:
    """The records in `directory`/journal.jsonl. Nothing is created before the first record is written.

    From then on the file stays open until `close`: a record costs one write and one sync. The writer must
    hold the lock of the run. A `readable` journal can be read by all users, so it must get no secret. The
    first record names the missing parents of `directory` and of the `beside` directories, and `above`: other
    directories that were missing before this installation began.

    Raises JournalError `journal-damaged`; with `despite_damage` the error is kept in `damage`, and the
    records are the intact ones. New records then follow the last of these.
    """

    def __init__(
        self,
        files: Files,
        clock: Clock,
        directory: str,
        *,
        beside: Sequence[str] = (),
        above: Sequence[str] = (),
        readable: bool = False,
        despite_damage: bool = False,
    ) -> None:
        self._files = files
        self._clock = clock
        self._opened = ExitStack()
        self._readable = readable
        self._modes = (0o755, 0o644) if readable else (0o700, 0o600)
        self._appender: Appender | None = None
        self.directory = directory
        self.path = f"{directory}/journal.jsonl"
        self.copy_path = f"{directory}/journal-copy.jsonl"
        self.receipt_path = f"{directory}/receipt.json"
        self.damage: JournalError | None = None
        try:
            self._read(files.read(self.path) or b"")
        except JournalError as error:
            if not despite_damage or error.code != "journal-damaged":
                raise
            self.damage = error
            self._read_intact()
        self._above = self._directories_above(directory, *beside, others=above)

    @property
    def records(self) -> tuple[JsonObject, ...]:
        """All records, oldest first."""
        return tuple(self._records)

    @property
    def receipt(self) -> Receipt:
        """The receipt of all records."""
        return self._receipt

    @property
    def begun(self) -> bool:
        """True if an installation has begun here; a damaged journal proves one, too."""
        return bool(self._receipt.entries) or self.damage is not None

    @property
    def installation_id(self) -> str | None:
        """The id of this installation, from the first record."""
        return str(self._records[0].get("installation")) if self._records else None

    @property
    def made_directories(self) -> Sequence[str]:
        """The directories that were missing before this installation began, topmost first."""
        return self._above

    def _read(self, content: bytes) -> None:
        """Read an intact journal; the copy shows whether lines are missing at its end."""
        self._records, self._sound, self._receipt = parse(content, self.path)
        copy = self._files.read(self.copy_path) or b""
        if len(copy) > self._sound and copy.startswith(content[: self._sound]):
            raise damaged(self.path, len(self._records) + 1, text("it is missing, but the copy has it"))
        # Older releases kept no copy of the journal, but a receipt, which shows that the journal is missing.
        if not self._records and not copy and self._files.state(self.receipt_path) is not None:
            raise damaged(self.path, 1, text("it is missing, but {path} exists", path=self.receipt_path))

    def _read_intact(self) -> None:
        found = self.remains()
        content = self._files.read(self.path) or b""
        # An incomplete last line is lost; the next record replaces it.
        self._records, self._sound = [*found.records], content.rfind(b"\n") + 1
        self._receipt = found.receipt

    def remains(self) -> Remains:
        """Return the readable records of the journal and its copy."""
        content, copy = (self._files.read(path) or b"" for path in (self.path, self.copy_path))
        return remains(content, copy, self.path)

    def restore(self) -> None:
        """Rewrite a damaged journal from complete remains."""
        self.close()
        self._files.write(self.path, b"".join(map(line_of, self.remains().records)), self._modes[1])
        self.damage = None
        self._read(self._files.read(self.path) or b"")
        self.save_copy()

    def save_copy(self) -> None:
        """Write the journal's copy, unless it is current or the journal is damaged."""
        content = b"".join(map(line_of, self._records))
        if self._records and self.damage is None and content != self._files.read(self.copy_path):
            self._files.write(self.copy_path, content, self._modes[1])

    def begin_installation(self) -> None:
        """Record the id of a new installation if the journal is empty."""
        if not self._records:
            self.append("installation", installation=str(uuid.uuid4()), folders=[*self._above])

    def append(self, kind: str, **fields: JsonValue) -> None:
        """Write one record; it is on disk when this returns."""
        last = int(str(self._records[-1]["sequence"])) if self._records else 0
        record: JsonObject = {
            "version": VERSION,
            "sequence": last + 1,
            "time": self._clock.now().isoformat(timespec="milliseconds"),
            "type": kind,
            **fields,
        }
        line = line_of(record)
        appender = self._appender or self._open()
        # A crash or failed write may have left an incomplete record.
        if appender.size() > self._sound:
            appender.truncate(self._sound)
        appender.append(line)
        self._sound += len(line)
        self._records.append(record)
        self._receipt = fold([record], self._receipt)

    def compact(self) -> None:
        """Rewrite a large journal without superseded records, if they are at least half of it.

        A journal that all users can read loses them at once: the data of an undone object may be secret. The
        file is replaced atomically.
        """
        if self.damage is not None or (self._sound <= LARGE and not self._readable):
            return
        kept = essential(self._records)
        content = b"".join(map(line_of, kept))
        if kept == self._records or (2 * len(content) > self._sound and not self._readable):
            if self._readable and self._records:
                # Earlier releases let the umask close it to other users.
                (self._appender or self._open()).open_to_all()
            return
        self.close()
        # The copy is written first: after a kill in between, the earlier journal is intact and longer.
        for path in (self.copy_path, self.path):
            self._files.write(path, content, self._modes[1])
        self._records, self._sound, self._receipt = kept, len(content), fold(kept)

    def _open(self) -> Appender:
        self._files.make_directories(self.directory, self._modes[0])
        self._appender = self._opened.enter_context(self._files.appender(self.path, self._modes[1]))
        if self._readable and not self._records:
            self._appender.open_to_all()
        return self._appender

    def _directories_above(self, *places: str, others: Sequence[str]) -> list[str]:
        """Return `others` and the parents of `places` that the installation must create, topmost first."""
        if self._records:
            recorded = self._records[0].get("folders")
            return [str(directory) for directory in recorded] if isinstance(recorded, list) else []
        above = [str(PurePosixPath(place).parent) for place in places]
        missing = (directory for place in above for directory in self._files.missing(place))
        return list(dict.fromkeys((*others, *missing)))

    def close(self) -> None:
        """Close the file; a later record opens it again."""
        self._appender = None
        self._opened.close()

    def remove(self) -> None:
        """Delete the journal at the end of an uninstallation, if there is one."""
        self.close()
        # The copy is removed first: without a journal it would look like a damaged one.
        for path in (self.copy_path, self.path):
            self._files.remove(path)
        for directory in (self.directory, *reversed(self._above)):
            self._files.remove_directory(directory)
        self._records, self._sound, self._receipt = [], 0, Receipt()


def essential(records: Sequence[JsonObject]) -> list[JsonObject]:
    """Return the records that the receipt needs, in order, renumbered from 1."""
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
            # This keeps the first record and the unknown kinds of newer versions.
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
    """Return the numbers of the records that an object's entry in the receipt needs."""
    begun = [number for number in numbers if records[number]["type"] == "begin"]
    done = [number for number in numbers if records[number]["type"] == "done"]
    made = done[:1]
    # The records up to its creation hold its earlier state and its age.
    making = [number for number in begun if not made or number < made[0]]
    versions = {json.dumps(records[number]["action"]): number for number in begun}
    latest = sorted(versions.values())[-VERSIONS:]
    others = set(numbers).difference(begun, done)
    return {*making[:1], *making[-1:], *made, *done[-1:], *latest, *others}
