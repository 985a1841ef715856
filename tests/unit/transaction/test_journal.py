"""The journal survives a cut at any point, refuses damage, and is compacted."""

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction import journal as journals
from mstunnel_setup.transaction.errors import JournalError
from mstunnel_setup.transaction.journal import VERSIONS, Journal, essential
from mstunnel_setup.transaction.receipt import Receipt, fold
from tests.refusals import refused

_DIRECTORY = "/var/lib/mstunnel"


def _journal(root: Path) -> Journal:
    return Journal(Files(root), Clock(), _DIRECTORY)


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


def test_directories_of_podman_are_removed_with_the_journal(tmp_path: Path) -> None:
    files, absent = Files(tmp_path), ("/home", "/home/.config")
    Journal(files, Clock(), _DIRECTORY, above=absent).begin_installation()
    files.make_directories(absent[-1])
    # For another process they exist, but the first record lists them as missing.
    journal = Journal(files, Clock(), _DIRECTORY)
    assert [*absent] == [name for name in journal.made_directories if name.startswith("/home")]
    journal.remove()
    assert list(tmp_path.iterdir()) == []


def test_records_are_read_as_written(tmp_path: Path, written: Path) -> None:
    records = _journal(tmp_path).records
    assert [record["type"] for record in records] == ["installation", *["step"] * 4]
    assert [record["sequence"] for record in records] == [1, 2, 3, 4, 5]
    assert written.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_all_users_can_read_a_readable_journal(tmp_path: Path, umask: int) -> None:
    """Check that the account can read root's journal, but not the saved files."""
    before = os.umask(umask)
    try:
        Journal(Files(tmp_path), Clock(), _DIRECTORY, readable=True).begin_installation()
    finally:
        os.umask(before)
    directory = tmp_path / _DIRECTORY.lstrip("/")
    modes = [path.stat().st_mode & 0o777 for path in (directory, directory / "journal.jsonl")]
    assert modes == [0o755, 0o644]


@pytest.mark.parametrize(("readable", "mode"), [(True, 0o644), (False, 0o600)])
def test_next_run_makes_a_readable_journal_readable_again(
    tmp_path: Path, written: Path, readable: bool, mode: int
) -> None:
    written.chmod(0o600)
    Journal(Files(tmp_path), Clock(), _DIRECTORY, readable=readable).compact()
    assert written.stat().st_mode & 0o777 == mode


def test_every_prefix_of_a_journal_is_valid(tmp_path: Path, written: Path) -> None:
    content = written.read_bytes()
    complete = [0] + [index + 1 for index, byte in enumerate(content) if byte == ord("\n")]
    for length in range(len(content)):
        written.write_bytes(content[:length])
        journal = _journal(tmp_path)
        assert len(journal.records) == max(i for i, end in enumerate(complete) if end <= length)
        journal.append("step", step="after")
        assert _journal(tmp_path).records[-1]["step"] == "after"


def test_changed_byte_is_refused_in_every_complete_record(tmp_path: Path, written: Path) -> None:
    """Check the last record: an incomplete one may be dropped, a changed one may not."""
    content = written.read_bytes()
    last = content.rindex(b"\n", 0, -1)
    for position in (*range(0, last, 7), *range(last + 1, len(content) - 1)):
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
    with refused(JournalError, "journal-newer") as caught:
        _journal(tmp_path)
    assert "later" in caught.value.hint


def test_each_line_is_plain_json_with_a_checksum(written: Path) -> None:
    for line in written.read_text().splitlines():
        assert set(json.loads(line)) >= {"version", "sequence", "time", "type", "checksum"}


def test_a_last_record_with_a_hole_is_dropped(tmp_path: Path, written: Path) -> None:
    """Check a loss of power: later sectors of a record may be on the disk without the earlier ones."""
    content = written.read_bytes()
    start = content.rindex(b"\n", 0, -1) + 1
    written.write_bytes(content[:start] + bytes(40) + content[start + 40 :])
    assert len(_journal(tmp_path).records) == 4


def test_deeply_nested_record_is_refused(tmp_path: Path, written: Path) -> None:
    with written.open("ab") as file:
        file.write(b"[" * 100_000 + b"\n")
    with refused(JournalError, "journal-damaged"):
        _journal(tmp_path)


@pytest.mark.parametrize(
    ("spoil", "line", "sequence"),
    [
        (lambda lines: [*lines[:2], *lines[3:]], 3, 4),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], 3, 2),
        (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3, 4),
        (lambda lines: lines[1:], 1, 2),
    ],
    ids=["lost", "copied", "swapped", "first one lost"],
)
def test_lost_copied_or_moved_line_is_reported(
    tmp_path: Path, written: Path, spoil: Callable[[list[bytes]], list[bytes]], line: int, sequence: int
) -> None:
    """Check lines that are valid, with their checksums, but out of sequence."""
    written.write_bytes(b"".join(spoil(written.read_bytes().splitlines(keepends=True))))
    with refused(JournalError, "journal-damaged") as caught:
        _journal(tmp_path)
    assert f"at line {line}: it has the sequence number {sequence}" in caught.value.message


def test_result_of_an_action_that_never_began_is_refused(tmp_path: Path, written: Path) -> None:
    record = {"version": 1, "sequence": 6, "time": "", "type": "done", "key": "file:/x", "outputs": {}}
    text = json.dumps(record, separators=(",", ":"))
    checksum = hashlib.sha256(text.encode()).hexdigest()
    with written.open("a") as file:
        file.write(f'{text[:-1]},"checksum":"{checksum}"}}\n')
    with pytest.raises(JournalError, match="at line 6: it does not follow") as caught:
        _journal(tmp_path)
    assert caught.value.code == "journal-damaged"


_KEYS = ("file:/a", "link:/b", "image:c")
_EVENTS = st.one_of(
    st.tuples(st.sampled_from(["begin"]), st.sampled_from(_KEYS), st.integers(0, 9)),
    st.tuples(st.sampled_from(["begin", "done"]), st.sampled_from(_KEYS), st.integers(0, 2)),
    st.tuples(
        st.sampled_from(["done", "undone", "taken-back", "released", "replaced"]),
        st.sampled_from(_KEYS),
        st.integers(0, 9),
    ),
    st.tuples(st.sampled_from(["step", "failed"]), st.sampled_from(["x", "y"]), st.integers(0, 2)),
)


def _records(events: list[tuple[str, str, int]]) -> list[JsonObject]:
    """Return records that a runner could have written: only what was begun is done, replaced or undone."""
    records: list[JsonObject] = [{"type": "installation", "installation": "i", "folders": [], "sequence": 1}]
    begun: dict[str, int] = {}
    for kind, name, number in events:
        fields: dict[str, Any] = {"key": name}
        if kind == "begin":
            before = begun.setdefault(name, number)
            fields |= {"step": "x", "action": {"kind": "k", "value": number}, "before": {"seen": before}}
        elif kind in ("step", "failed"):
            fields = {"step": name, "code": str(number), "message": "m", "hint": "h"}
        elif name not in begun:
            continue
        elif kind == "done":
            fields |= {"outputs": {"result": number}}
        elif kind in ("undone", "taken-back"):
            del begun[name]
        elif kind == "released":
            fields = {"keys": sorted(begun)[:number], "reason": "r"}
            begun = {key: begun[key] for key in sorted(begun)[number:]}
        records.append({"type": kind, "sequence": len(records) + 1, "time": "t", **fields})
    return records


def _meaning(receipt: Receipt) -> tuple[Any, ...]:
    """Return a receipt with ranks instead of sequence numbers, and only the versions that are kept."""
    entries = list(receipt.entries.values())
    numbers = sorted({number for entry in entries for number in (entry.first, entry.last)})
    ranked = [
        replace(entry, first=numbers.index(entry.first), last=numbers.index(entry.last), versions=())
        for entry in entries
    ]
    latest = [entry.versions[-1] for entry in entries]
    return ranked, latest, receipt.steps, receipt.failure


def _distinct(versions: tuple[JsonObject, ...]) -> list[JsonObject]:
    """Return each version once, at its last position."""
    return [version for at, version in enumerate(versions) if version not in versions[at + 1 :]]


@given(st.lists(_EVENTS, max_size=60))
def test_compaction_does_not_change_the_receipt(events: list[tuple[str, str, int]]) -> None:
    records = _records(events)
    kept = essential(records)
    before, after = fold(records), fold(kept)
    assert _meaning(after) == _meaning(before)
    assert [record["sequence"] for record in kept] == list(range(1, len(kept) + 1))
    assert kept[0] == records[0]
    for key, entry in before.entries.items():
        versions = after.entries[key].versions
        assert entry.versions[0] in versions
        assert _distinct(versions)[-VERSIONS:] == _distinct(entry.versions)[-VERSIONS:]


@given(st.lists(_EVENTS, max_size=60), st.lists(_EVENTS, max_size=20))
def test_later_records_mean_the_same_after_compaction(
    first: list[tuple[str, str, int]], then: list[tuple[str, str, int]]
) -> None:
    """Check that repeated compaction equals a single one."""
    records = _records([*first, *then])
    cut = len(_records(first))
    kept = essential(records[:cut])
    later = [
        {**record, "sequence": len(kept) + number} for number, record in enumerate(records[cut:], start=1)
    ]
    assert _meaning(fold([*kept, *later])) == _meaning(fold(records))
    assert _meaning(fold(essential([*kept, *later]))) == _meaning(fold(records))


@given(st.lists(_EVENTS, max_size=400))
def test_size_of_a_compacted_journal_is_limited(events: list[tuple[str, str, int]]) -> None:
    """Check the bound: per object its creation, last versions and result, and each replacement."""
    records = _records(events)
    replaced = sum(record["type"] == "replaced" for record in records)
    assert len(essential(records)) <= 1 + len(_KEYS) * (VERSIONS + 4) + 3 + replaced


def _write(journal: Journal, text: str) -> None:
    journal.append("begin", step="s", key="file:/a", action={"kind": "k", "text": text}, before={})
    journal.append("done", key="file:/a", outputs={})


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a root with a journal larger than the limit."""
    monkeypatch.setattr(journals, "LARGE", 8000)
    journal = _journal(tmp_path)
    journal.begin_installation()
    for number in range(40):
        _write(journal, f"text {number}")
    return tmp_path


def test_large_journal_is_compacted_and_continued(large: Path) -> None:
    journal = _journal(large)
    identity, before = journal.installation_id, _meaning(journal.receipt)
    journal.compact()
    _write(journal, "after")
    read = _journal(large)
    assert read.installation_id == identity
    assert read.receipt == journal.receipt
    assert len(read.records) < 20
    assert before[1] == [{"kind": "k", "text": "text 39"}]
    assert [record["sequence"] for record in read.records] == list(range(1, len(read.records) + 1))
    place = large / "var/lib/mstunnel/journal.jsonl"
    assert place.stat().st_mode & 0o777 == 0o600


def test_small_journal_is_not_rewritten(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    for number in range(20):
        _write(journal, f"text {number}")
    journal.compact()
    assert len(_journal(tmp_path).records) == 40


def test_readable_journal_drops_undone_records_at_once(tmp_path: Path) -> None:
    journal = Journal(Files(tmp_path), Clock(), "/var/lib/mstunnel", readable=True)
    journal.begin_installation()
    _write(journal, "secret")
    place = tmp_path / "var/lib/mstunnel/journal.jsonl"
    journal.close()
    place.chmod(0o600)  # An earlier release left this mode if the umask of root was 077.
    journal.append("taken-back", key="file:/a", outcome="removed", reason="")
    journal.append("step", step="x")
    assert place.stat().st_mode & 0o777 == 0o600
    journal.compact()
    assert b"secret" not in place.read_bytes()
    assert (place.stat().st_mode & 0o777, journal.receipt.steps) == (0o644, ("x",))
    inode = place.stat().st_ino
    journal.compact()
    assert place.stat().st_ino == inode


def test_large_journal_of_needed_records_is_not_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Check that a run does not rewrite such a journal each time."""
    monkeypatch.setattr(journals, "LARGE", 1000)
    journal = _journal(tmp_path)
    journal.begin_installation()
    for number in range(40):
        journal.append("step", step=f"step-{number}")
    inode = (tmp_path / "var/lib/mstunnel/journal.jsonl").stat().st_ino
    journal.compact()
    assert (tmp_path / "var/lib/mstunnel/journal.jsonl").stat().st_ino == inode
