"""Journal lines: writing, strict reading, and merging a damaged journal with its copy."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.transaction.errors import JOURNAL_NEWER, JournalError
from mstunnel_setup.transaction.receipt import Receipt, fold

VERSION: Final = 1


def line_of(record: JsonObject) -> bytes:
    """Return a record's line, with its checksum."""
    content = json.dumps(record, separators=(",", ":"))
    checksum = hashlib.sha256(content.encode()).hexdigest()
    return f'{content[:-1]},"checksum":"{checksum}"}}\n'.encode()


def parse(content: bytes, path: str) -> tuple[list[JsonObject], int, Receipt]:
    """Return the records, the number of intact bytes in `content`, and the receipt.

    Raises JournalError `journal-damaged` and `journal-newer`.
    """
    records: list[JsonObject] = []
    receipt = Receipt()
    sound = 0
    for number, line in enumerate(content.splitlines(keepends=True), 1):
        record = _record(line)
        if record is None:
            last = sound + len(line) == len(content)
            # A crash leaves the last line without a line end or with a hole of zero bytes.
            if not last or (line.endswith(b"\n") and b"\0" not in line):
                raise damaged(path, number, text("its checksum is wrong"))
            break
        _refuse_newer(record, path)
        if record.get("sequence") != number:
            problem = text("it has the sequence number {sequence}", sequence=record.get("sequence"))
            raise damaged(path, number, problem)
        try:
            receipt = fold([record], receipt)
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(path, number, text("it does not follow from the lines before it")) from error
        records.append(record)
        sound += len(line)
    return records, sound, receipt


def damaged(path: str, number: int, problem: str) -> JournalError:
    """Return the error for a journal with a changed or missing line."""
    return JournalError(
        "journal-damaged",
        "{path} is damaged at line {number}: {problem}",
        hint="Restore it from its copy: `mst-cli journal repair`.",
        path=path,
        number=number,
        problem=problem,
    )


@dataclass(frozen=True)
class Remains:
    """The readable records of a damaged journal, from the journal or its copy, oldest first.

    `missing` are the numbers of lines that neither has. If `whole` is true, the records are the complete
    journal as it was written.
    """

    records: tuple[JsonObject, ...]
    missing: tuple[int, ...]
    whole: bool

    @property
    def receipt(self) -> Receipt:
        """The receipt of these records, without those that need a missing one."""
        receipt = Receipt()
        for record in self.records:
            try:
                receipt = fold([record], receipt)
            except (KeyError, TypeError, ValueError):
                continue
        return receipt


def remains(content: bytes, copy: bytes, path: str) -> Remains:
    """Return the readable records of the journal `content` and its `copy`, by checksum and sequence.

    Raises JournalError `journal-newer`.
    """
    own, copied = _intact(content, path), _intact(copy, path)
    # A copy from before a compaction numbers its lines differently.
    same = all(own[number] == copied[number] for number in own.keys() & copied.keys())
    union = {**copied, **own} if same and copied else own
    records = tuple(union[number] for number in sorted(union))
    missing = tuple(number for number in range(1, max(union, default=0) + 1) if number not in union)
    whole = bool(union) and same and not missing and _explained(content, records, path)
    return Remains(records, missing, whole)


def _explained(content: bytes, records: Sequence[JsonObject], path: str) -> bool:
    """Return whether the records follow from each other and include every complete line of `content`."""
    joined = b"".join(map(line_of, records))
    # Damage does not make a file longer. If it has more bytes, it had lines that the copy lacks.
    if content.rfind(b"\n") + 1 > len(joined):
        return False
    try:
        return parse(joined, path)[1] == len(joined)
    except JournalError:
        return False


def _intact(content: bytes, path: str) -> dict[int, JsonObject]:
    """Return the records with a correct checksum, by sequence number."""
    return dict(_numbered(filter(None, map(_record, content.splitlines(keepends=True))), path))


def _numbered(records: Iterable[JsonObject], path: str) -> Iterable[tuple[int, JsonObject]]:
    for record in records:
        _refuse_newer(record, path)
        number = record.get("sequence")
        if isinstance(number, int):
            yield number, record


def _refuse_newer(record: JsonObject, path: str) -> None:
    if record.get("version") != VERSION:
        raise JOURNAL_NEWER(
            reason=text(
                "{path} has format {version}, supported is {supported}",
                path=path,
                version=record.get("version"),
                supported=VERSION,
            )
        )


def _record(line: bytes) -> JsonObject | None:
    """Return the record on a line; None if the line is incomplete or its checksum is wrong."""
    try:
        record: JsonObject = json.loads(line)  # noqa: TID251 (our journal: its checksum is of this text)
    except (ValueError, RecursionError):
        return None
    checksum = record.pop("checksum", None) if isinstance(record, dict) else None
    return record if checksum is not None and line_of(record) == line else None
