"""A damaged journal is restored from its copy, line by line, and only if nothing is missing."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction import journal as journals
from mstunnel_setup.transaction.errors import JournalError
from mstunnel_setup.transaction.journal import Journal
from tests.refusals import refused

_DIRECTORY = "/var/lib/mstunnel"
Damage = Callable[[bytes], bytes]


def _open(root: Path, *, despite_damage: bool = False) -> Journal:
    return Journal(Files(root), Clock(), _DIRECTORY, despite_damage=despite_damage)


def _make(journal: Journal, name: str) -> None:
    journal.append("begin", step="s", key=f"file:/{name}", action={"kind": "k"}, before={})
    journal.append("done", key=f"file:/{name}", outputs={})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Return the journal of a completed run."""
    journal = _open(tmp_path)
    journal.begin_installation()
    for name in "abcd":
        _make(journal, name)
    journal.append("step", step="s")
    journal.save_copy()
    return tmp_path / "var/lib/mstunnel/journal.jsonl"


def _flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 4]) + content[middle + 1 :]


def _without_middle(content: bytes) -> bytes:
    return content[: len(content) // 3] + content[len(content) // 2 :]


def _zeros(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes(len(content) - middle)


def _hole(content: bytes) -> bytes:
    third = len(content) // 3
    return content[:third] + bytes(third) + content[2 * third :]


_DAMAGES: dict[str, Damage] = {
    "flipped byte": _flipped,
    "flipped line end": lambda content: content.replace(b"\n", b"\x0b", 3).replace(b"\x0b", b"\n", 2),
    "missing middle": _without_middle,
    "missing line": lambda content: b"".join(content.splitlines(keepends=True)[:3]) + content[-200:],
    "missing end": lambda content: content[: len(content) // 2],
    "last record cut": lambda content: content[:-20],
    "empty": lambda _content: b"",
    "zeros to the end": _zeros,
    "a hole of zeros": _hole,
    "nothing but zeros": lambda content: bytes(len(content)),
}


@pytest.mark.parametrize("damage", _DAMAGES.values(), ids=_DAMAGES.keys())
def test_damaged_journal_is_restored_from_its_copy(tmp_path: Path, written: Path, damage: Damage) -> None:
    content, before = written.read_bytes(), _open(tmp_path).receipt
    written.write_bytes(damage(content))
    with refused(JournalError, "journal-damaged") as caught:
        _open(tmp_path)
    assert "mst-cli journal repair" in caught.value.hint
    journal = _open(tmp_path, despite_damage=True)
    assert journal.receipt.entries == before.entries
    assert journal.remains().whole
    assert written.read_bytes() == damage(content)
    journal.restore()
    assert written.read_bytes() == content
    assert _open(tmp_path).receipt == before


@pytest.mark.parametrize("damage", _DAMAGES.values(), ids=_DAMAGES.keys())
def test_record_written_to_a_damaged_journal_is_kept(tmp_path: Path, written: Path, damage: Damage) -> None:
    """Check the renewal of a certificate before the journal is restored."""
    written.write_bytes(damage(written.read_bytes()))
    journal = _open(tmp_path, despite_damage=True)
    _make(journal, "renewed")
    journal.close()
    with refused(JournalError, "journal-damaged"):
        _open(tmp_path)
    journal = _open(tmp_path, despite_damage=True)
    assert journal.remains().whole
    journal.restore()
    assert [*_open(tmp_path).receipt.entries][-2:] == ["file:/d", "file:/renewed"]


def test_damage_without_a_copy_cannot_be_restored(tmp_path: Path, written: Path) -> None:
    copy = written.with_name("journal-copy.jsonl")
    copy.unlink()
    written.write_bytes(_flipped(written.read_bytes()))
    remains = _open(tmp_path, despite_damage=True).remains()
    assert not remains.whole
    assert len(remains.missing) == 1


def test_lines_after_the_copy_cannot_be_restored(tmp_path: Path, written: Path) -> None:
    """Check a killed run, whose copy is that of the run before."""
    journal = _open(tmp_path)
    _make(journal, "later")
    _make(journal, "latest")
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join([*lines[:-2], _flipped(lines[-2]), lines[-1]]))
    assert _open(tmp_path, despite_damage=True).remains().missing == (len(lines) - 1,)
    written.write_bytes(b"".join([*lines[:-2], _flipped(lines[-2]), _flipped(lines[-1])]))
    remains = _open(tmp_path, despite_damage=True).remains()
    assert (remains.whole, remains.missing) == (False, ())


def test_new_record_does_not_hide_lost_lines(tmp_path: Path, written: Path) -> None:
    journal = _open(tmp_path)
    _make(journal, "later")
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join([*lines[:-2], *map(_flipped, lines[-2:])]))
    journal = _open(tmp_path, despite_damage=True)
    _make(journal, "renewed")
    assert not journal.remains().whole


def test_copy_from_before_a_compaction_is_not_used(
    tmp_path: Path, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "LARGE", 100)
    copy = written.with_name("journal-copy.jsonl")
    before = copy.read_bytes()
    journal = _open(tmp_path)
    for name in "abcd":
        journal.append("undone", key=f"file:/{name}", outcome="removed", reason="")
    journal.compact()
    assert copy.read_bytes() == written.read_bytes()
    _make(journal, "e")
    journal.close()
    copy.write_bytes(before)
    assert [*_open(tmp_path).receipt.entries] == ["file:/e"]
    lines = written.read_bytes().splitlines(keepends=True)
    written.write_bytes(b"".join([lines[0], _flipped(lines[1]), *lines[2:]]))
    assert not _open(tmp_path, despite_damage=True).remains().whole


def test_damaged_copy_is_rewritten(tmp_path: Path, written: Path) -> None:
    copy = written.with_name("journal-copy.jsonl")
    copy.write_bytes(_flipped(copy.read_bytes()))
    _open(tmp_path).save_copy()
    assert copy.read_bytes() == written.read_bytes()
    assert copy.stat().st_mode & 0o777 == 0o600


def test_emptied_journal_of_an_earlier_release_is_damaged(tmp_path: Path, written: Path) -> None:
    """Check a journal that has a receipt but no copy."""
    written.with_name("journal-copy.jsonl").unlink()
    written.with_name("receipt.json").write_text("{}")
    written.write_bytes(b"")
    with refused(JournalError, "journal-damaged"):
        _open(tmp_path)
    assert _open(tmp_path, despite_damage=True).begun


def test_copy_is_removed_before_the_journal(tmp_path: Path, written: Path) -> None:
    """Check the order: an uninstallation that is killed must not leave a copy alone, which means damage."""
    order: list[str] = []

    class Watched(Files):
        def remove(self, path: str) -> None:
            order.append(path.rpartition("/")[2])
            super().remove(path)

    Journal(Watched(tmp_path), Clock(), _DIRECTORY).remove()
    assert order == ["journal-copy.jsonl", "journal.jsonl"]
    assert list(tmp_path.iterdir()) == []
