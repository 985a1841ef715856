"""systemd replaces a container between Podman's look-up of its name and its look at it."""

import pytest
from typing_extensions import override

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.podman import PodmanEngine
from mstunnel_setup.io.http_service import Answer, HttpService
from mstunnel_setup.io.process import Processes
from tests.unit.clocks import FakeClock

_THERE = Answer(
    200, b'{"State": {"Status": "running"}, "Config": {"Labels": null}, "ImageDigest": "sha256:1"}'
)
_GONE = Answer(
    500,
    b'{"cause":"no such container",'
    b'"message":"no container with ID 0af1 found in database: no such container"}',
)
_MISSING = Answer(404, b'{"message":"no such container"}')


class Service(HttpService):
    """Gives these answers one after the other, and the last one again and again."""

    def __init__(self, *answers: Answer) -> None:
        self._answers = [*answers]

    @override
    def get(self, path: str) -> Answer:
        assert path == "/containers/mstunnel-server/json"
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def _engine(*answers: Answer) -> PodmanEngine:
    return PodmanEngine(Service(*answers), Processes(), FakeClock(), ("podman",), "5.4.2")


def test_a_container_that_is_being_replaced_is_looked_for_again() -> None:
    found = _engine(_GONE, _GONE, _THERE).inspect("mstunnel-server")
    assert found is not None
    assert found.status == "running"


def test_one_that_stays_away_is_not_there() -> None:
    assert _engine(_GONE).inspect("mstunnel-server") is None
    assert _engine(_GONE, _MISSING).inspect("mstunnel-server") is None


def test_any_other_failure_is_one() -> None:
    with pytest.raises(EngineError, match="disk I/O error"):
        _engine(Answer(500, b"disk I/O error")).inspect("mstunnel-server")
