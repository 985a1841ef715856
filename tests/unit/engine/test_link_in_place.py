"""A link that takes the place of a file: the file comes back, wherever a run was cut off."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from mstunnel_setup.engine.action import Undo, UndoRecord
from mstunnel_setup.engine.file_actions import HasFiles, LinkInPlace
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.host.files import Files

PLACE = "/etc/mstunnel/ocserv.conf"
ACTION = LinkInPlace(path=PLACE, target="agent/ocserv.conf")


@dataclass
class World:
    files: Files
    state_directory: str = "/state"


@pytest.fixture
def world(tmp_path: Path) -> World:
    files = Files(tmp_path)
    files.make_directories("/etc/mstunnel")
    return World(files)


def undone(world: World, before: JsonObject) -> Undo:
    record: UndoRecord[HasFiles] = UndoRecord(before, [ACTION])
    return ACTION.undo(world, record).outcome


def test_where_nothing_stood_nothing_is_left(world: World) -> None:
    before = ACTION.capture(world)
    ACTION.apply(world, {})

    assert ACTION.satisfied(world, {})
    assert undone(world, before) is Undo.REMOVED
    assert world.files.names("/etc/mstunnel") == []


@pytest.mark.parametrize("cut_off", ["before", "between", "after"])
def test_the_file_comes_back(world: World, cut_off: str) -> None:
    world.files.write(PLACE, b"theirs\n", 0o640)
    before = ACTION.capture(world)
    if cut_off == "between":
        world.files.remove(PLACE)
    if cut_off == "after":
        ACTION.apply(world, {})

    assert undone(world, before) is Undo.RESTORED
    state = world.files.state(PLACE)
    assert state is not None
    assert (state.kind, state.mode) == ("file", 0o640)
    assert world.files.read(PLACE) == b"theirs\n"


def test_the_file_comes_back_though_the_link_led_to_its_like(world: World) -> None:
    world.files.write(PLACE, b"theirs\n")
    before = ACTION.capture(world)
    ACTION.apply(world, {})
    world.files.make_directories("/etc/mstunnel/agent")
    world.files.write("/etc/mstunnel/agent/ocserv.conf", b"theirs\n")

    assert undone(world, before) is Undo.RESTORED
    state = world.files.state(PLACE)
    assert state is not None
    assert state.kind == "file"


def test_a_link_of_somebody_else_is_pointed_back(world: World) -> None:
    world.files.link(PLACE, "/srv/theirs")
    before = ACTION.capture(world)
    ACTION.apply(world, {})

    assert undone(world, before) is Undo.RESTORED
    state = world.files.state(PLACE)
    assert state is not None
    assert state.target == "/srv/theirs"


def test_what_somebody_put_there_later_is_kept(world: World) -> None:
    before = ACTION.capture(world)
    ACTION.apply(world, {})
    world.files.remove(PLACE)
    world.files.write(PLACE, b"edited\n")

    assert undone(world, before) is Undo.KEPT
    assert world.files.read(PLACE) == b"edited\n"
