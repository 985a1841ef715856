"""The journal survives being cut off anywhere and refuses to guess."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.io.clock import SystemClock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.errors import JournalError
from mstunnel_setup.transaction.journal import Journal

_DIRECTORY = "/var/lib/mstunnel"


def _journal(root: Path) -> Journal:
    return Journal(Files(root), SystemClock(), _DIRECTORY)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    journal = _journal(tmp_path)
    journal.begin_installation()
    for number in range(4):
        journal.append("step", step=f"step-{number}", note="ünïcode \u2028 and \n newline")
    return tmp_path / "var/lib/mstunnel/journal.jsonl"


def test_nothing_is_created_before_the_first_record(tmp_path: Path) -> None:
    assert _journal(tmp_path).records == ()
    assert list(tmp_path.iterdir()) == []


def test_records_come_back_as_written(tmp_path: Path, written: Path) -> None:
    records = _journal(tmp_path).records
    assert [record["type"] for record in records] == ["installation", *["step"] * 4]
    assert [record["sequence"] for record in records] == [1, 2, 3, 4, 5]
    assert written.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_a_readable_journal_is_for_all_to_read(tmp_path: Path, umask: int) -> None:
    """Without root the account looks into the one of root; what was saved aside stays closed."""
    before = os.umask(umask)
    try:
        Journal(Files(tmp_path), SystemClock(), _DIRECTORY, readable=True).begin_installation()
    finally:
        os.umask(before)
    directory = tmp_path / _DIRECTORY.lstrip("/")
    modes = [path.stat().st_mode & 0o777 for path in (directory, directory / "journal.jsonl")]
    assert modes == [0o755, 0o644]


@pytest.mark.parametrize(("readable", "mode"), [(True, 0o644), (False, 0o600)])
def test_the_next_run_opens_a_readable_journal_that_an_umask_has_closed(
    tmp_path: Path, written: Path, readable: bool, mode: int
) -> None:
    written.chmod(0o600)
    Journal(Files(tmp_path), SystemClock(), _DIRECTORY, readable=readable).compact()
    assert written.stat().st_mode & 0o777 == mode


def test_every_prefix_of_a_journal_is_a_journal(tmp_path: Path, written: Path) -> None:
    content = written.read_bytes()
    complete = [0] + [index + 1 for index, byte in enumerate(content) if byte == ord("\n")]
    for length in range(len(content)):
        written.write_bytes(content[:length])
        journal = _journal(tmp_path)
        assert len(journal.records) == max(i for i, end in enumerate(complete) if end <= length)
        journal.append("step", step="after")
        assert _journal(tmp_path).records[-1]["step"] == "after"


def test_damage_before_the_end_is_refused(tmp_path: Path, written: Path) -> None:
    content = bytearray(written.read_bytes())
    for position in range(0, content.rindex(b"\n", 0, -1), 7):
        damaged = bytearray(content)
        damaged[position] ^= 0x15
        written.write_bytes(damaged)
        with pytest.raises(JournalError) as caught:
            _journal(tmp_path)
        assert caught.value.code in {"journal-damaged", "journal-newer"}


def test_a_newer_format_is_refused_with_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mstunnel_setup.transaction.journal.VERSION", 2)
    _journal(tmp_path).begin_installation()
    monkeypatch.undo()
    with pytest.raises(JournalError) as caught:
        _journal(tmp_path)
    assert caught.value.code == "journal-newer"
    assert "later" in caught.value.hint


def test_each_line_is_plain_json_with_a_checksum(written: Path) -> None:
    for line in written.read_text().splitlines():
        assert set(json.loads(line)) >= {"version", "sequence", "time", "type", "checksum"}


def test_a_complete_last_record_with_a_wrong_checksum_is_refused(tmp_path: Path, written: Path) -> None:
    """Only what lacks its end was never promised; a changed record was."""
    content = written.read_bytes()
    start = content.rindex(b"\n", 0, -1) + 1
    for position in range(start, len(content) - 1):
        damaged = bytearray(content)
        damaged[position] ^= 0x15
        written.write_bytes(damaged)
        with pytest.raises(JournalError) as caught:
            _journal(tmp_path)
        assert caught.value.code in {"journal-damaged", "journal-newer"}


def test_a_last_record_with_a_hole_is_dropped(tmp_path: Path, written: Path) -> None:
    """After a loss of power the later sectors of a record may be there without the earlier ones."""
    content = written.read_bytes()
    start = content.rindex(b"\n", 0, -1) + 1
    written.write_bytes(content[:start] + bytes(40) + content[start + 40 :])
    assert len(_journal(tmp_path).records) == 4


def test_a_record_nested_without_end_is_damage(tmp_path: Path, written: Path) -> None:
    with written.open("ab") as file:
        file.write(b"[" * 100_000 + b"\n")
    with pytest.raises(JournalError) as caught:
        _journal(tmp_path)
    assert caught.value.code == "journal-damaged"


def _lose(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], *lines[3:]]


def _copy(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[1], *lines[2:]]


def _swap(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[3], lines[2], *lines[4:]]


def _behead(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


@pytest.mark.parametrize(
    ("spoil", "line", "sequence"), [(_lose, 3, 4), (_copy, 3, 2), (_swap, 3, 4), (_behead, 1, 2)]
)
def test_a_line_that_was_lost_copied_or_moved_is_named(
    tmp_path: Path, written: Path, spoil: Callable[[list[bytes]], list[bytes]], line: int, sequence: int
) -> None:
    """Each line is as it was written, with its checksum."""
    written.write_bytes(b"".join(spoil(written.read_bytes().splitlines(keepends=True))))
    with pytest.raises(JournalError) as caught:
        _journal(tmp_path)
    assert caught.value.code == "journal-damaged"
    assert f"at line {line}: it has the sequence number {sequence}" in caught.value.message


def test_a_record_that_finishes_what_was_never_begun_is_damage(tmp_path: Path, written: Path) -> None:
    record = {"version": 1, "sequence": 6, "time": "", "type": "done", "key": "file:/x", "outputs": {}}
    text = json.dumps(record, separators=(",", ":"))
    checksum = hashlib.sha256(text.encode()).hexdigest()
    with written.open("a") as file:
        file.write(f'{text[:-1]},"checksum":"{checksum}"}}\n')
    with pytest.raises(JournalError, match="at line 6: it does not follow") as caught:
        _journal(tmp_path)
    assert caught.value.code == "journal-damaged"
