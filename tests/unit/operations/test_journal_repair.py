"""A damaged journal: commands that do not need it work, and the others name the repair."""

from functools import partial

import pytest

from mstunnel_setup.install import journal_repair
from mstunnel_setup.install.installed import own_scope
from mstunnel_setup.transaction.errors import JournalError
from tests.refusals import refused
from tests.unit.install.scenes import FakePrompter
from tests.unit.operations.conftest import Server
from tests.unit.operators import operator_of

_JOURNAL = "/var/lib/mstunnel/journal.jsonl"


@pytest.fixture
def damaged(installed: Server) -> Server:
    """Return a server whose journal has a changed byte in the middle."""
    place = installed.file(_JOURNAL)
    content = bytearray(place.read_bytes())
    content[len(content) // 2] ^= 1
    place.write_bytes(content)
    return installed


def _without_copy(server: Server) -> None:
    server.file(_JOURNAL).with_name("journal-copy.jsonl").unlink()


@pytest.mark.parametrize("copied", [True, False])
def test_certificate_is_renewed_despite_a_damaged_journal(damaged: Server, copied: bool) -> None:
    if not copied:
        _without_copy(damaged)
    code, _out, err = damaged("import_cert", *damaged.given("next"))
    assert (code, "mst-cli journal repair" in err) == (0, True)
    code, found = damaged.json("cert", "show")
    assert (code, found["data"]["generation"]) == (0, damaged.in_use)


@pytest.mark.parametrize(
    "words", [("cert", "show"), ("cert", "check"), ("env", "get"), ("import_cert", "--list")]
)
def test_read_only_commands_work_with_a_damaged_journal(damaged: Server, words: tuple[str, ...]) -> None:
    assert damaged(*words)[0] == 0


@pytest.mark.parametrize(
    "words", [("uninstall", "--yes"), ("env", "set", "TRACE_SESSIONS", "1"), ("reenroll", "--yes")]
)
def test_commands_that_need_the_journal_name_the_repair(damaged: Server, words: tuple[str, ...]) -> None:
    content = damaged.file(_JOURNAL).read_bytes()
    code, found = damaged.json(*words)
    [error] = found["errors"]
    assert (code, error["code"]) == (10, "journal-damaged")
    assert "`mst-cli journal repair`" in error["hint"]
    assert damaged.file(_JOURNAL).read_bytes() == content


def test_uninstall_after_a_repair_removes_everything(damaged: Server) -> None:
    """A certificate that was renewed before the repair is removed with the rest."""
    assert damaged("import_cert", *damaged.given("next"))[0] == 0
    assert damaged.json("journal", "repair")[1]["errors"][0]["code"] == "repair-declined"
    code, found = damaged.json("journal", "repair", "--yes")
    assert (code, found["data"]["restored"]) == (0, [_JOURNAL])
    assert damaged.json("journal", "repair")[1]["status"] == "unchanged"
    assert damaged("uninstall", "--yes")[0] == 0
    assert not damaged.file("/etc/mstunnel/certs").exists() or not [
        *damaged.file("/etc/mstunnel/certs").iterdir()
    ]
    assert not damaged.file("/var/lib/mstunnel").exists()


def test_repair_that_would_lose_lines_is_refused(damaged: Server) -> None:
    _without_copy(damaged)
    content = damaged.file(_JOURNAL).read_bytes()
    code, found = damaged.json("journal", "repair", "--yes")
    [error] = found["errors"]
    assert (code, error["code"]) == (10, "journal-incomplete")
    assert "mst-cli help recovery" in error["hint"]
    assert damaged.file(_JOURNAL).read_bytes() == content


@pytest.mark.parametrize(("typed", "sound"), [("yes", True), ("no", False)])
def test_repair_from_the_copy_is_offered_interactively(damaged: Server, typed: str, sound: bool) -> None:
    """Every command that needs the journal offers the repair."""
    person = FakePrompter([typed])
    operator = operator_of(damaged.root, person)
    opened = partial(
        journal_repair.open_journal,
        own_scope(operator),
        operator,
        despite_damage=False,
        locked=True,
    )
    if sound:
        assert opened().damage is None
    else:
        with refused(JournalError, "journal-damaged"):
            opened()
    assert person.asked == ["Restore the journal"]
    assert "is damaged at line" in person.said[0]
    assert "objects of this installation" in person.said[1]
    assert damaged("cert", "show")[0] == 0
