"""A link of others at the path of a file of ours is neither overwritten nor removed."""

import hashlib
from pathlib import Path

import pytest

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Codec, Undo
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.runner import Runner
from mstunnel_setup.transaction.step import Step
from tests.unit.transaction.ports import Ports

PLACE, THEIRS = "/etc/ours", "/etc/theirs"
ACTION = WriteFile(path=PLACE, text="ours\n")
STEP = Step[None, None]("one", "Do it", lambda _run: None, lambda _facts: [ACTION])
CODEC = Codec([WriteFile])
CONTENT = b"theirs\n"


def journal_of(ports: Ports) -> Journal:
    return Journal(ports.files, Clock(), ports.state_directory)


def runner(ports: Ports) -> Runner:
    return Runner(ports, journal_of(ports), CODEC, Clock(), lambda _event: None)


@pytest.fixture(params=["valid", "dangling"])
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Ports:
    """Return a host with a link at the path of the file."""
    files = Files(tmp_path)
    files.make_directory("/etc")
    if request.param == "valid":
        files.write(THEIRS, CONTENT)
    files.link(PLACE, "theirs")
    return Ports(files)


def is_untouched(ports: Ports) -> bool:
    state = ports.files.state(PLACE)
    return state is not None and state.target == "theirs" and ports.files.read(THEIRS) in (None, CONTENT)


def test_foreign_link_stops_a_run_before_the_first_record(ports: Ports) -> None:
    with pytest.raises(FileError) as caught:
        runner(ports).run([STEP], None)
    assert (caught.value.code, PLACE in caught.value.message) == ("path-not-regular", True)
    assert journal_of(ports).records == ()
    assert is_untouched(ports)


def test_foreign_link_recorded_by_an_earlier_release_is_kept(ports: Ports) -> None:
    content = ports.files.read(PLACE)
    before: JsonObject = {"digest": None}
    if content is not None:
        before = {"digest": hashlib.sha256(content).hexdigest(), "mode": 0o777, "uid": 0, "gid": 0}
        ports.files.make_directories("/state/saved", 0o700)
        ports.files.write(f"/state/saved/{before['digest']}", content, 0o600)
    journal = journal_of(ports)
    journal.begin_installation()
    journal.append("begin", step="one", key=ACTION.key, action=CODEC.dump(ACTION), before=before)
    journal.close()

    (removal,) = runner(ports).undo()
    assert (removal.undone.outcome, PLACE in removal.undone.reason) == (Undo.KEPT, True)
    assert is_untouched(ports)


def test_foreign_link_that_replaced_our_file_is_kept(ports: Ports) -> None:
    ports.files.remove(PLACE)
    runner(ports).run([STEP], None)
    ports.files.remove(PLACE)
    ports.files.link(PLACE, "theirs")

    (removal,) = runner(ports).undo()
    assert removal.undone.outcome is Undo.KEPT
    assert is_untouched(ports)
