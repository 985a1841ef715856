"""Responses of Podman are read strictly."""

import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers import engine as engines
from mstunnel_setup.containers.engine import Image, pull_failure
from mstunnel_setup.containers.podman import PodmanEngine, container_state, image_from
from mstunnel_setup.containers.release_images import ReleaseImages
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.process import Processes
from tests.refusals import refused
from tests.unit.clocks import FakeClock
from tests.unit.containers.podman_server import Answer, Server, serve
from tests.unit.fakes import no_progress

_INDEX = "sha256:" + "1" * 64
_PLATFORM = "sha256:" + "2" * 64
_IMAGE = f"registry.example/gateway@{_INDEX}"
_INSPECTED = {"Id": "abc", "Digest": _INDEX}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with serve(tmp_path / "podman.sock") as server:
        yield server


def _engine(server: Server, clock: Any = None) -> PodmanEngine:
    return PodmanEngine(server.address, Processes(), clock or Clock(), ("podman",), "5.4.2")


def _pulled(server: Server, *pieces: dict[str, Any] | bytes, pause: float = 0.0) -> list[tuple[int, int]]:
    """Return the progress of a pull that Podman reports in these pieces."""
    server.answers = [
        Answer(
            200, [each if isinstance(each, bytes) else json.dumps(each).encode() for each in pieces], pause
        ),
        Answer(200, [json.dumps(_INSPECTED).encode()]),
    ]
    seen: list[tuple[int, int]] = []
    _engine(server).pull(_IMAGE, 5.0, lambda done, known: seen.append((done, known)))
    return seen


def _layer(name: str, current: int, total: int) -> dict[str, Any]:
    return {"status": "Downloading", "progressDetail": {"current": current, "total": total}, "id": name}


def test_pull_by_digest_uses_a_local_image(server: Server) -> None:
    _pulled(server, {"id": "abc"})
    (asked, *_) = server.asked
    assert asked.startswith("POST /v4.0.0/libpod/images/pull?")
    assert f"reference=registry.example/gateway@{_INDEX}" in asked
    assert "policy=missing" in asked
    # registries.conf(5) has the settings for TLS.
    assert "tlsVerify" not in asked


def test_progress_adds_up_over_layers(server: Server) -> None:
    seen = _pulled(
        server,
        {"status": "Pulling fs layer", "progressDetail": {}, "id": "a"},
        _layer("a", 5, 10),
        _layer("b", 1, 20),
        {"status": "Download complete", "progressDetail": {}, "id": "a"},
        {"status": "Download complete", "progressDetail": {}, "id": "config"},
    )
    assert seen == [(5, 10), (6, 30), (11, 30)]


@pytest.mark.parametrize("pieces", [100, 1], ids=["a report now and then", "silence"])
def test_deadline_applies_to_the_whole_pull(server: Server, pieces: int) -> None:
    server.answers = [
        Answer(200, [json.dumps(_layer("a", 1, 9)).encode()] * pieces, 0.4 if pieces > 1 else 40.0)
    ]
    started = time.monotonic()
    with refused(EngineError, "image-pull-failed", match="time allowed"):
        _engine(server).pull(_IMAGE, 1.0, no_progress)
    assert time.monotonic() - started < 8


@pytest.mark.parametrize("report", [{"error": "denied: no"}, {"errorDetail": {"message": "denied"}}])
def test_error_in_a_report_after_http_200_is_raised(server: Server, report: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="denied") as caught:
        _pulled(server, report)
    assert "podman login" in caught.value.hint


def test_reports_come_in_any_pieces(server: Server) -> None:
    line = json.dumps(_layer("a", 5, 10)).encode()
    assert _pulled(server, line[:7], line[7:] + b"\n\n" + line[:3], line[3:]) == [(5, 10), (5, 10)]


def test_a_successful_pull_of_another_image_is_an_error(server: Server) -> None:
    server.answers = [
        Answer(200, [b'{"id": "abc"}']),
        Answer(200, [json.dumps({"Id": "abc", "Digest": _PLATFORM}).encode()]),
    ]
    with refused(EngineError, "image-not-pulled"):
        _engine(server).pull(_IMAGE, 5.0, no_progress)


_HOSTILE = {
    "no JSON": b"<html>\x1b[31m",
    "no text": b"\xff\xfe",
    "no object": b"[]",
    "nested too deep": b"[" * 100_000,
    "an object nested too deep": b'{"error": ' + b"[" * 100_000,
    "a size that is a text": b'{"progressDetail": {"total": "many"}}',
    "a size beyond all": b'{"progressDetail": {"total": 1' + b"0" * 5000 + b"}}",
    "a size below nothing": b'{"progressDetail": {"total": -1}}',
    "a detail that is a list": b'{"progressDetail": [1]}',
    "a name that is an object": b'{"id": {"a": 1}}',
}


@pytest.mark.parametrize("line", _HOSTILE.values(), ids=_HOSTILE)
def test_an_unreadable_report_is_an_error(server: Server, line: bytes) -> None:
    with refused(EngineError, "image-pull-failed") as caught:
        _pulled(server, line + b"\n")
    assert caught.value.message.isprintable()


def test_every_failure_has_a_hint() -> None:
    assert pull_failure("image", "x509: unknown authority").hint.startswith("Add the authority")
    assert pull_failure("image", "something new").hint


def test_failed_pull_of_this_release_names_its_archive(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ReleaseImages(_INDEX, _PLATFORM, "mstunnel-images-1.0-amd64.tar", "registry.example.com")
    monkeypatch.setattr(engines, "release_images", lambda: own)
    refused = "connect: connection refused"
    assert pull_failure(f"registry.example.com/gateway@{_INDEX}", refused).hint == (
        "Check the network, firewall and proxy settings. "
        "Or copy mstunnel-images-1.0-amd64.tar to /var/lib/mstunnel/images, then run the command again."
    )
    assert "copy" not in pull_failure(f"registry.example.com/gateway@sha256:{'3' * 64}", refused).hint


def test_the_state_of_a_container() -> None:
    state = container_state(
        {
            "State": {
                "Status": "running",
                "Health": {"Status": "healthy"},
                "StartedAt": "2026-11-24T23:23:01.383235589Z",
            },
            "Config": {"Labels": {"org.mstunnel.managed": "1"}},
            "ImageName": f"registry.example/server@{_INDEX}",
            "ImageDigest": _PLATFORM,
            "RestartCount": 2,
        }
    )
    assert (state.health, state.ours, state.image_digest) == ("healthy", True, _INDEX)
    assert state.restarts == 2
    assert state.started_at == datetime(2026, 11, 24, 23, 23, 1, 383235, UTC)


def test_a_container_that_never_ran() -> None:
    state = container_state(
        {
            "State": {"Status": "created", "Health": {"Status": ""}, "StartedAt": "0001-01-01T00:00:00Z"},
            "Config": {"Labels": None},
            "ImageName": "registry.example/server:latest",
            "ImageDigest": _PLATFORM,
        }
    )
    assert (state.health, state.ours, state.started_at) == (None, False, None)
    assert state.image_digest == _PLATFORM


def test_multi_platform_image_has_the_requested_digest() -> None:
    inspected = {"Id": "abc", "Digest": _PLATFORM, "RepoDigests": [f"r/s@{_INDEX}", f"r/s@{_PLATFORM}"]}
    assert image_from(f"r/s@{_INDEX}", inspected) == Image(f"r/s@{_INDEX}", _INDEX, "abc")
    assert image_from("r/s:1", inspected).digest == _PLATFORM


def test_the_build_time_of_an_image_is_read_to_the_microsecond() -> None:
    inspected = {"Id": "abc", "Digest": _PLATFORM, "Created": "2026-11-01T12:00:00.123456789Z"}
    assert str(image_from("r/s:1", inspected).created) == "2026-11-01 12:00:00.123456+00:00"


_ALIVE = "as it could not be stopped: given PID did not die within timeout"
_UNTOLD = "as it could not be stopped: timed out waiting for file /run/libpod/exits/1: internal libpod error"


def _refusal(reason: str, status: int = 500) -> Answer:
    return Answer(status, [json.dumps({"cause": "internal", "message": reason}).encode()])


@pytest.mark.parametrize("reason", [_ALIVE, _UNTOLD], ids=["alive", "untold"])
def test_removal_is_retried_while_processes_end(server: Server, reason: str) -> None:
    server.answers, clock = [*[_refusal(reason)] * 3, Answer(200, [b"[]"])], FakeClock()
    _engine(server, clock).remove("box")
    assert (len(server.asked), clock.elapsed) == (4, 3)


def test_failure_of_more_than_five_minutes_is_reported(server: Server) -> None:
    server.answers, clock = [_refusal(_ALIVE)], FakeClock()
    with pytest.raises(EngineError, match=r"cannot remove the container box: .* given PID did not die"):
        _engine(server, clock).remove("box")
    assert clock.elapsed == 300


def test_permanent_failure_is_reported_at_once(server: Server) -> None:
    server.answers, clock = [_refusal("no space left on device")], FakeClock()
    with pytest.raises(EngineError, match="no space left"):
        _engine(server, clock).remove("box")
    assert (len(server.asked), clock.elapsed) == (1, 0)


@pytest.mark.parametrize(
    "body",
    [
        b'{"cause":"no such host","message":"ping registry: no such host"}',
        b'{"message":"ping registry: no such host"}',
        b"ping registry: no such host",
    ],
)
def test_message_of_the_engine_is_shown(server: Server, body: bytes) -> None:
    server.answers = [Answer(500, [body])]
    with pytest.raises(EngineError, match=r"cannot pull \S+ ?\S*: ping registry: no such host$") as caught:
        _engine(server).pull(_IMAGE, 5.0, no_progress)
    assert "name resolution" in caught.value.hint


_THERE = Answer(
    200, [b'{"State": {"Status": "running"}, "Config": {"Labels": null}, "ImageDigest": "sha256:1"}']
)
_GONE = _refusal("no container with ID 0af1 found in database: no such container")
_MISSING = Answer(404, [b'{"message":"no such container"}'])


def test_inspection_of_a_replaced_container_is_retried(server: Server) -> None:
    """Check a race: Podman finds its name, and then not its id."""
    server.answers = [_GONE, _GONE, _THERE]
    found = _engine(server, FakeClock()).inspect("mstunnel-server")
    assert found is not None
    assert found.status == "running"


@pytest.mark.parametrize("answers", [[_GONE], [_GONE, _MISSING]])
def test_removed_container_is_not_found(server: Server, answers: list[Answer]) -> None:
    server.answers = answers
    assert _engine(server, FakeClock()).inspect("mstunnel-server") is None


def test_stopped_container_can_be_stopped_again(server: Server) -> None:
    server.answers = [Answer(200, [b'{"Id": "0af1"}']), Answer(304, [])]
    _engine(server).stop("box")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (_refusal("disk I/O error"), "disk I/O error"),
        (Answer(502, [b"<html>"]), "<html>"),
        (Answer(200, [b"what"]), "Expecting value"),
        (Answer(0, [b"SSH-2.0-OpenSSH_10.0\r\n"]), "SSH-2.0"),
        (Answer(0, []), "closed connection"),
    ],
)
def test_unexpected_response_is_an_error_with_its_reason(server: Server, answer: Answer, reason: str) -> None:
    server.answers = [answer]
    with refused(EngineError, "engine-failed", match=reason):
        _engine(server).inspect("mstunnel-server")


def test_missing_socket_is_reported(tmp_path: Path) -> None:
    engine = PodmanEngine(f"unix://{tmp_path}/nobody", Processes(), Clock(), ("podman",), "5.4.2")
    with pytest.raises(EngineError, match="No such file or directory"):
        engine.inspect("box")


@pytest.mark.parametrize("address", ["/run/podman.sock", "unix://", "ssh://root@host/run/podman.sock"])
def test_address_that_is_not_a_socket_is_refused(address: str) -> None:
    with refused(EngineError, "engine-address-invalid"):
        PodmanEngine(address, Processes(), Clock(), ("podman",), "5.4.2")
