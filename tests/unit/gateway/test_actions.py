from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions.gateway_configuration import WriteGatewayConfiguration
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.values import JsonValue, output
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Codec, Undo, UndoRecord
from tests.refusals import refused

IMAGE = "registry.example/gateway@sha256:00"


@dataclass
class Ports(Any):
    """Files, and a configuration check that rejects files containing "bad"."""

    files: Files
    state_directory: str = "/state"
    checked: list[tuple[str, str]] = field(default_factory=list)

    def check_gateway_configuration(self, image: str, text: str) -> None:
        self.checked.append((image, text))
        if "bad" in text:
            raise StepError("gateway-configuration-refused", "ocserv: bad", "Fix it.")


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    files = Files(tmp_path)
    files.make_directories(paths.AGENT_DIRECTORY)
    return Ports(files)


def action(text: str = "good\n", image: JsonValue = IMAGE) -> WriteGatewayConfiguration:
    return WriteGatewayConfiguration(text=text, image=image)


def test_the_file_is_written_once_ocserv_accepts_it(ports: Ports) -> None:
    assert not action().satisfied(ports, {})
    action().apply(ports, {})

    assert ports.checked == [(IMAGE, "good\n")]
    assert ports.files.read(paths.OCSERV_CONF) == b"good\n"
    assert action().satisfied(ports, {})


def test_a_refused_file_leaves_the_old_one(ports: Ports) -> None:
    action().apply(ports, {})

    with refused(StepError, "gateway-configuration-refused"):
        action("bad\n").apply(ports, {})

    assert ports.files.read(paths.OCSERV_CONF) == b"good\n"
    assert "ocserv.conf" in ports.files.names(paths.CONFIGURATION)


def test_the_monitor_judges_anew_what_was_written_and_only_that(ports: Ports) -> None:
    ports.files.make_directories(paths.STATE)
    ports.files.write(paths.SERVED_CONFIGURATION, b"what the gateway refused")

    with refused(StepError, "gateway-configuration-refused"):
        action("bad\n").apply(ports, {})
    assert ports.files.read(paths.SERVED_CONFIGURATION) == b"what the gateway refused"

    action().apply(ports, {})
    assert ports.files.read(paths.SERVED_CONFIGURATION) is None


def test_the_image_may_be_known_only_later(ports: Ports) -> None:
    action(image=output("image:gateway", "reference")).apply(ports, {"image:gateway": {"reference": IMAGE}})

    assert ports.checked == [(IMAGE, "good\n")]


def test_undo_removes_the_file_whatever_the_agent_made_of_it(ports: Ports) -> None:
    record = UndoRecord(action().capture(ports), [action()])
    action().apply(ports, {})
    ports.files.write(paths.OCSERV_CONF, b"newer\n")

    assert action().undo(ports, record).outcome is Undo.REMOVED
    assert ports.files.read(paths.OCSERV_CONF) is None


def test_undo_restores_the_previous_file(ports: Ports) -> None:
    ports.files.write(paths.OCSERV_CONF, b"somebody else's\n", 0o600)
    record = UndoRecord(action().capture(ports), [action()])
    action().apply(ports, {})

    assert action().undo(ports, record).outcome is Undo.RESTORED
    assert ports.files.read(paths.OCSERV_CONF) == b"somebody else's\n"


def test_it_survives_the_journal() -> None:
    codec = Codec([WriteGatewayConfiguration])

    assert codec.load(codec.dump(action())) == action()
    assert action().key == f"file:{paths.OCSERV_CONF}"
