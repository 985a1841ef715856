"""Another port for the gateway: the monitor moves it there, and goes on with a move that was cut off."""

import hashlib
import json
import re
import socket
from typing import Any

import pytest

from mstunnel_setup.base import paths
from tests.crash.arena import Arena, differences
from tests.crash.engine import SERVER
from tests.crash.test_upgrade import numbers
from tests.serving import free_port

REPORT = f"{paths.SERVER_STATE}/report"


class Moving:
    """An installed gateway whose tenant wants another port."""

    def __init__(self, arena: Arena) -> None:
        self.arena = arena
        self.earlier = arena.daemon.port

    def prepare(self) -> None:
        """Install on the earlier port; the agent has heard of the other one."""
        self.arena.daemon.port = self.earlier
        self.arena.reset()
        self.before = self.arena.state()
        self.arena.install().checked()
        self.port = free_port()
        self.write(paths.ADMIN_SETTINGS, json.dumps({**self.settings(), "ListenPort": self.port}))
        self.report("applied")
        self.arena.daemon.port = self.port

    def report(self, outcome: str) -> None:
        """What the gateway says of the configuration that stands there."""
        digest = hashlib.sha256(self.read(paths.OCSERV_CONF).encode()).hexdigest()
        self.write(REPORT, f"time 1\nconfiguration {digest} {outcome}\n")

    def settings(self) -> dict[str, Any]:
        return dict(json.loads(self.read(paths.ADMIN_SETTINGS)))

    def ports(self) -> set[int]:
        """Those in `ocserv.conf`."""
        return {int(found) for found in re.findall(r"-port = (\d+)", self.read(paths.OCSERV_CONF))}

    def label(self) -> Any:
        return self.arena.daemon.state()["containers"][SERVER]["labels"]

    def read(self, path: str) -> str:
        return self.arena.place(path).read_text()

    def write(self, path: str, text: str) -> None:
        self.arena.place(path).write_text(text)

    def complaints(self) -> list[str]:
        """What is wrong after the move; the server is uninstalled then."""
        found = [] if self.ports() == {self.port} else [f"ocserv.conf: {self.ports()}"]
        state = self.arena.daemon.state()["containers"][SERVER]["status"]
        removed = self.arena.uninstall()
        return [
            *found,
            *([] if state == "running" else [state]),
            *([removed.stdout] if removed.code else []),
            *differences(self.before, self.arena.state()),
        ]


@pytest.fixture
def moving(arena: Arena) -> Any:
    found = Moving(arena)
    found.prepare()
    yield found
    arena.daemon.port = found.earlier


@pytest.mark.timeout(7200)
def test_a_move_that_is_killed_anywhere_is_brought_to_its_end(moving: Moving, everything: bool) -> None:
    before = moving.label()
    points = moving.arena.monitor().points
    assert len(points) > 20
    assert moving.label() != before, "a container publishes the port it was made with"
    assert moving.complaints() == []
    failed = []
    for number in numbers(len(points), everything):
        moving.prepare()
        moving.arena.monitor(kill_at=number)
        moving.report("applied")
        moving.arena.monitor().checked()
        failed += [f"{number} ({points[number - 1]}): {text}" for text in moving.complaints()]
    assert failed == []


def test_a_port_in_use_leaves_the_gateway_on_its_port(moving: Moving) -> None:
    before = moving.label()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", moving.port))
        taken.listen()
        said = moving.arena.monitor()
    assert "port-in-use" in said.stderr
    assert moving.ports() == {moving.earlier}
    assert moving.label() == before
    moving.arena.daemon.port = moving.earlier


def test_a_configuration_that_the_gateway_refuses_moves_nothing(moving: Moving) -> None:
    moving.report("refused line 3: bad")
    before = moving.label()
    moving.arena.monitor()
    assert moving.ports() == {moving.earlier}
    assert moving.label() == before
