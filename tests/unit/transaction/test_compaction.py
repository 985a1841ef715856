"""A compacted journal means what the long one meant."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.clock import SystemClock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction import journal as journals
from mstunnel_setup.transaction.journal import VERSIONS, Journal, essential
from mstunnel_setup.transaction.receipt import Receipt, fold

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
    """What a runner could have written: nothing is done, replaced or undone that was not started."""
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
    """A receipt with ranks for the numbers of records, and of many versions those that are kept."""
    entries = list(receipt.entries.values())
    numbers = sorted({number for entry in entries for number in (entry.first, entry.last)})
    ranked = [
        replace(entry, first=numbers.index(entry.first), last=numbers.index(entry.last), versions=())
        for entry in entries
    ]
    latest = [entry.versions[-1] for entry in entries]
    return ranked, latest, receipt.steps, receipt.failure


def _distinct(versions: tuple[JsonObject, ...]) -> list[JsonObject]:
    """Each version once, where it was last."""
    return [version for at, version in enumerate(versions) if version not in versions[at + 1 :]]


@given(st.lists(_EVENTS, max_size=60))
def test_the_receipt_stays_the_same(events: list[tuple[str, str, int]]) -> None:
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
def test_what_follows_means_the_same_after_compaction(
    first: list[tuple[str, str, int]], then: list[tuple[str, str, int]]
) -> None:
    """Compaction again and again amounts to compaction once."""
    records = _records([*first, *then])
    cut = len(_records(first))
    kept = essential(records[:cut])
    later = [
        {**record, "sequence": len(kept) + number} for number, record in enumerate(records[cut:], start=1)
    ]
    assert _meaning(fold([*kept, *later])) == _meaning(fold(records))
    assert _meaning(fold(essential([*kept, *later]))) == _meaning(fold(records))


@given(st.lists(_EVENTS, max_size=400))
def test_what_stays_has_a_bound(events: list[tuple[str, str, int]]) -> None:
    """For each object the making, the last versions and their result, and each replacement."""
    records = _records(events)
    replaced = sum(record["type"] == "replaced" for record in records)
    assert len(essential(records)) <= 1 + len(_KEYS) * (VERSIONS + 4) + 3 + replaced


def _journal(root: Path) -> Journal:
    return Journal(Files(root), SystemClock(), "/var/lib/mstunnel")


def _write(journal: Journal, text: str) -> None:
    journal.append("begin", step="s", key="file:/a", action={"kind": "k", "text": text}, before={})
    journal.append("done", key="file:/a", outputs={})


@pytest.fixture
def large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A root with a journal that has grown larger than it may."""
    monkeypatch.setattr(journals, "LARGE", 8000)
    journal = _journal(tmp_path)
    journal.begin_installation()
    for number in range(40):
        _write(journal, f"text {number}")
    return tmp_path


def test_a_large_journal_is_rewritten_and_goes_on(large: Path) -> None:
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


def test_a_small_journal_is_left_alone(tmp_path: Path) -> None:
    journal = _journal(tmp_path)
    for number in range(20):
        _write(journal, f"text {number}")
    journal.compact()
    assert len(_journal(tmp_path).records) == 40


def test_a_journal_that_all_users_read_forgets_at_once_what_was_taken_back(tmp_path: Path) -> None:
    journal = Journal(Files(tmp_path), SystemClock(), "/var/lib/mstunnel", readable=True)
    journal.begin_installation()
    _write(journal, "secret")
    place = tmp_path / "var/lib/mstunnel/journal.jsonl"
    journal.close()
    place.chmod(0o600)  # as an earlier release left it where the umask of root is 077
    journal.append("taken-back", key="file:/a", outcome="removed", reason="")
    journal.append("step", step="x")
    assert place.stat().st_mode & 0o777 == 0o600
    journal.compact()
    assert b"secret" not in place.read_bytes()
    assert (place.stat().st_mode & 0o777, journal.receipt.steps) == (0o644, ("x",))
    inode = place.stat().st_ino
    journal.compact()
    assert place.stat().st_ino == inode


def test_a_large_journal_of_records_that_count_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise every run would write it again."""
    monkeypatch.setattr(journals, "LARGE", 1000)
    journal = _journal(tmp_path)
    journal.begin_installation()
    for number in range(40):
        journal.append("step", step=f"step-{number}")
    inode = (tmp_path / "var/lib/mstunnel/journal.jsonl").stat().st_ino
    journal.compact()
    assert (tmp_path / "var/lib/mstunnel/journal.jsonl").stat().st_ino == inode
