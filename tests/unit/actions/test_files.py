"""Actions on files: copies of files that an administrator names, and links in place of files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.actions.files import CopyFile, Link, LinkInPlace
from mstunnel_setup.base.errors import WaitingError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files, FileState
from mstunnel_setup.transaction.action import Codec, Undo, UndoRecord
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import Step
from tests.unit.transaction.ports import Ports

OF_SOMETHING_ELSE = "0" * 64


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "program"
    source.write_text("program")
    source.chmod(0o755)
    return source


@pytest.mark.parametrize(
    ("root", "mode", "expected"),
    [(True, 0o755, True), (True, 0o700, False), (False, 0o755, False)],
    ids=["itself", "another mode", "of another root"],
)
def test_copy_onto_itself_is_satisfied_without_reading(
    source: Path, *, root: bool, mode: int, expected: bool
) -> None:
    given = str(source) if root else "/program"
    action = CopyFile(path="/program", source=given, digest=OF_SOMETHING_ELSE, mode=mode)
    assert action.satisfied(Ports(Files(source.parent)), {}) is expected


PLACE = "/etc/mstunnel/ocserv.conf"
ACTION = LinkInPlace(path=PLACE, target="agent/ocserv.conf")


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    files = Files(tmp_path)
    files.make_directories("/etc/mstunnel")
    return Ports(files)


def undone(ports: Ports, before: JsonObject) -> Undo:
    return ACTION.undo(ports, UndoRecord(before, [ACTION])).outcome


def state(ports: Ports) -> FileState:
    found = ports.files.state(PLACE)
    assert found is not None
    return found


def test_undo_leaves_nothing_if_there_was_no_file(ports: Ports) -> None:
    before = ACTION.capture(ports)
    ACTION.apply(ports, {})

    assert ACTION.satisfied(ports, {})
    assert undone(ports, before) is Undo.REMOVED
    assert ports.files.names("/etc/mstunnel") == []


@pytest.mark.parametrize("cut_off", ["before", "between", "after", "after, with a link to its like"])
def test_undo_restores_the_file(ports: Ports, cut_off: str) -> None:
    ports.files.write(PLACE, b"theirs\n", 0o640)
    before = ACTION.capture(ports)
    if cut_off == "between":
        ports.files.remove(PLACE)
    if cut_off.startswith("after"):
        ACTION.apply(ports, {})
    if cut_off.endswith("its like"):
        ports.files.make_directories("/etc/mstunnel/agent")
        ports.files.write("/etc/mstunnel/agent/ocserv.conf", b"theirs\n")

    assert undone(ports, before) is Undo.RESTORED
    assert (state(ports).kind, state(ports).mode) == ("file", 0o640)
    assert ports.files.read(PLACE) == b"theirs\n"


def test_a_foreign_link_is_restored(ports: Ports) -> None:
    ports.files.link(PLACE, "/srv/theirs")
    before = ACTION.capture(ports)
    ACTION.apply(ports, {})

    assert undone(ports, before) is Undo.RESTORED
    assert state(ports).target == "/srv/theirs"


def test_files_added_later_are_kept(ports: Ports) -> None:
    before = ACTION.capture(ports)
    ACTION.apply(ports, {})
    ports.files.remove(PLACE)
    ports.files.write(PLACE, b"edited\n")

    assert undone(ports, before) is Undo.KEPT
    assert ports.files.read(PLACE) == b"edited\n"


LINKS = (Link(path=PLACE, target="agent/ocserv.conf"), ACTION)


def run(ports: Ports, link: Link, *, agreed: bool) -> None:
    """Install `link` in one run; `agreed` allows to replace edited files."""
    journal = Journal(ports.files, Clock(), ports.state_directory)
    runner = Runner(
        ports,
        journal,
        Codec([Link, LinkInPlace]),
        Clock(),
        lambda _event: None,
        may_replace=lambda _changed: agreed,
    )
    try:
        runner.run([Step("link", "Link", lambda _run: None, lambda _facts: [link])], None)
    finally:
        journal.close()


def edited_in_place(ports: Ports) -> None:
    """Put a regular file with edited content in place of the link, as `sed -i` does."""
    ports.files.remove(PLACE)
    ports.files.write(PLACE, b"edited\n")


def directory_in_place(ports: Ports) -> None:
    ports.files.remove(PLACE)
    ports.files.make_directory(PLACE)


def link_in_place(ports: Ports) -> None:
    ports.files.link(PLACE, "elsewhere")


@pytest.mark.parametrize("put", [edited_in_place, directory_in_place, link_in_place])
@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.kind)
def test_object_in_place_of_a_link_is_not_replaced_unasked(
    ports: Ports, link: Link, put: Callable[[Ports], None]
) -> None:
    run(ports, link, agreed=False)
    put(ports)
    theirs = state(ports)
    with pytest.raises(WaitingError) as caught:
        run(ports, link, agreed=False)
    assert (caught.value.code, PLACE in caught.value.message) == ("changed-by-others", True)
    assert state(ports) == theirs
    assert theirs.kind != "file" or ports.files.read(PLACE) == b"edited\n"


@pytest.mark.parametrize("link", LINKS, ids=lambda link: link.kind)
def test_edited_file_is_backed_up_before_it_is_replaced(ports: Ports, link: Link) -> None:
    run(ports, link, agreed=False)
    edited_in_place(ports)
    run(ports, link, agreed=True)
    assert state(ports).target == link.target
    (saved,) = ports.files.names("/state/saved")
    assert ports.files.read(f"/state/saved/{saved}") == b"edited\n"


def test_a_file_without_a_saved_copy_is_not_replaced(ports: Ports) -> None:
    ports.files.write(PLACE, b"theirs\n")
    with pytest.raises(FileError):
        ACTION.apply(ports, {})
    assert ports.files.read(PLACE) == b"theirs\n"
