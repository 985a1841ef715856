from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Codec, Undo, UndoRecord
from mstunnel_setup.engine.values import JsonValue, output
from mstunnel_setup.errors import StepError
from mstunnel_setup.gateway.actions import WriteGatewayConfiguration
from mstunnel_setup.host.files import Files

IMAGE = "registry.example/gateway@sha256:00"


@dataclass
class World:
    """Files, and a checker that refuses what holds "bad"."""

    files: Files
    state_directory: str = "/state"
    checked: list[tuple[str, str]] = field(default_factory=list)

    def check_gateway_configuration(self, image: str, text: str) -> None:
        self.checked.append((image, text))
        if "bad" in text:
            raise StepError("gateway-configuration-refused", "ocserv: bad", "Fix it.")


@pytest.fixture
def world(tmp_path: Path) -> World:
    files = Files(tmp_path)
    files.make_directories(paths.AGENT_FOLDER)
    return World(files)


def action(text: str = "good\n", image: JsonValue = IMAGE) -> WriteGatewayConfiguration:
    return WriteGatewayConfiguration(text=text, image=image)


def test_the_file_is_written_once_ocserv_accepts_it(world: World) -> None:
    assert not action().satisfied(world, {})
    action().apply(world, {})

    assert world.checked == [(IMAGE, "good\n")]
    assert world.files.read(paths.OCSERV_CONF) == b"good\n"
    assert action().satisfied(world, {})


def test_a_refused_file_leaves_the_old_one(world: World) -> None:
    action().apply(world, {})

    with pytest.raises(StepError) as caught:
        action("bad\n").apply(world, {})

    assert caught.value.code == "gateway-configuration-refused"
    assert world.files.read(paths.OCSERV_CONF) == b"good\n"
    assert "ocserv.conf" in world.files.names(paths.CONFIGURATION)


def test_the_image_may_be_known_only_later(world: World) -> None:
    action(image=output("image:gateway", "reference")).apply(world, {"image:gateway": {"reference": IMAGE}})

    assert world.checked == [(IMAGE, "good\n")]


def test_undo_removes_the_file_whatever_the_agent_made_of_it(world: World) -> None:
    record = UndoRecord(action().capture(world), [action()])
    action().apply(world, {})
    world.files.write(paths.OCSERV_CONF, b"newer\n")

    assert action().undo(world, record).outcome is Undo.REMOVED
    assert world.files.read(paths.OCSERV_CONF) is None


def test_undo_puts_back_what_stood_there_before(world: World) -> None:
    world.files.write(paths.OCSERV_CONF, b"somebody else's\n", 0o600)
    record = UndoRecord(action().capture(world), [action()])
    action().apply(world, {})

    assert action().undo(world, record).outcome is Undo.RESTORED
    assert world.files.read(paths.OCSERV_CONF) == b"somebody else's\n"


def test_it_survives_the_journal() -> None:
    codec = Codec([WriteGatewayConfiguration])

    assert codec.load(codec.dump(action())) == action()
    assert action().key == f"file:{paths.OCSERV_CONF}"
