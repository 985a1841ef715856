"""systemd replaces a container between Podman's look-up of its name and its look at it."""

from dataclasses import dataclass
from typing import cast

import pytest

from mstunnel_setup.containers.api import Answer, EngineApi
from mstunnel_setup.containers.podman import PodmanEngine
from mstunnel_setup.errors import EngineError
from mstunnel_setup.host.process import Processes
from tests.unit.clocks import FakeClock

_THERE = b'{"State": {"Status": "running"}, "Config": {}, "ImageDigest": "sha256:1"}'
_GONE = (
    b'{"cause":"no such container",'
    b'"message":"no container with ID 0af1 found in database: no such container"}'
)


@dataclass
class Api:
    """Gives these answers one after the other, and the last one again and again."""

    answers: list[Answer]

    def call(self, method: str, path: str) -> Answer:
        assert (method, path) == ("GET", "/containers/mstunnel-server/json")
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def _engine(*answers: Answer) -> PodmanEngine:
    return PodmanEngine(cast("EngineApi", Api([*answers])), Processes(), FakeClock(), ("podman",))


def test_a_container_that_is_being_replaced_is_looked_for_again() -> None:
    found = _engine(Answer(500, _GONE), Answer(500, _GONE), Answer(200, _THERE)).inspect("mstunnel-server")
    assert found is not None
    assert found.status == "running"


def test_one_that_stays_away_is_not_there() -> None:
    assert _engine(Answer(500, _GONE)).inspect("mstunnel-server") is None
    assert _engine(Answer(500, _GONE), Answer(404)).inspect("mstunnel-server") is None


def test_any_other_failure_is_one() -> None:
    with pytest.raises(EngineError, match="disk I/O error"):
        _engine(Answer(500, b"disk I/O error")).inspect("mstunnel-server")
