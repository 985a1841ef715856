"""What Podman answers is read with suspicion."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from typing_extensions import override

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers import pull
from mstunnel_setup.containers.engine import Image
from mstunnel_setup.containers.podman import PodmanEngine, container_state, image_from
from mstunnel_setup.containers.pull import Pull, pull_failure
from mstunnel_setup.containers.release_images import ReleaseImages
from mstunnel_setup.io.http_service import Answer, HttpService, Streamed
from mstunnel_setup.io.process import Processes

_INDEX = "sha256:" + "1" * 64
_PLATFORM = "sha256:" + "2" * 64


class Ticking:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.seconds, UTC)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


class Report(Streamed):
    """The report of a pull; each piece takes `seconds`."""

    def __init__(self, clock: Ticking, *pieces: dict[str, Any] | bytes, seconds: float = 0.0) -> None:
        self.limits: list[float] = []
        self._clock, self._pieces, self._seconds = clock, iter(pieces), seconds

    @property
    @override
    def ok(self) -> bool:
        return True

    @override
    def read(self, seconds: float) -> bytes:
        self.limits.append(seconds)
        self._clock.sleep(self._seconds)
        piece = next(self._pieces, b"")
        return piece if isinstance(piece, bytes) else json.dumps(piece).encode() + b"\r\n"


def _layer(name: str, current: int, total: int) -> dict[str, Any]:
    return {"status": "Downloading", "progressDetail": {"current": current, "total": total}, "id": name}


def test_progress_adds_up_over_layers() -> None:
    seen: list[tuple[int, int]] = []
    clock = Ticking()
    report = Report(
        clock,
        {"status": "Pulling fs layer", "progressDetail": {}, "id": "a"},
        _layer("a", 5, 10),
        _layer("b", 1, 20),
        {"status": "Download complete", "progressDetail": {}, "id": "a"},
        {"status": "Download complete", "progressDetail": {}, "id": "config"},
    )
    Pull("image", clock, 10.0, lambda done, known: seen.append((done, known))).follow(report)
    assert seen == [(5, 10), (6, 30), (11, 30)]


def test_the_deadline_counts_for_the_whole() -> None:
    clock = Ticking()
    report = Report(clock, *[_layer("a", number, 9) for number in range(9)], seconds=4.0)
    with pytest.raises(EngineError, match="time allowed") as caught:
        Pull("image", clock, 10.0, lambda _done, _known: None).follow(report)
    assert caught.value.code == "image-pull-failed"
    assert report.limits == [10.0, 6.0, 2.0]


@pytest.mark.parametrize("report", [{"error": "denied: no"}, {"errorDetail": {"message": "denied"}}])
def test_an_error_after_http_200_is_an_error(report: dict[str, Any]) -> None:
    with pytest.raises(EngineError, match="denied") as caught:
        Pull("image", Ticking(), 10.0, lambda _done, _known: None).follow(Report(Ticking(), report))
    assert "podman login" in caught.value.hint


def test_lines_come_in_any_pieces_and_the_last_may_lack_its_end() -> None:
    seen: list[tuple[int, int]] = []
    line = json.dumps(_layer("a", 5, 10)).encode()
    report = Report(Ticking(), line[:7], line[7:] + b"\n\n" + line[:3], line[3:])
    Pull("image", Ticking(), 10.0, lambda done, known: seen.append((done, known))).follow(report)
    assert seen == [(5, 10), (5, 10)]


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
def test_an_unreadable_report_is_an_error(line: bytes) -> None:
    with pytest.raises(EngineError, match="unreadable progress report") as caught:
        Pull("image", Ticking(), 10.0, lambda _done, _known: None).follow(Report(Ticking(), line + b"\n"))
    assert caught.value.code == "image-pull-failed"
    assert caught.value.message.isprintable()


def test_a_line_without_end_is_not_collected_forever() -> None:
    report = Report(Ticking(), *[b"x" * 512] * 10_000)
    with pytest.raises(EngineError, match="longer than 1 MiB"):
        Pull("image", Ticking(), 10.0, lambda _done, _known: None).follow(report)


def test_every_failure_has_a_hint() -> None:
    assert pull_failure("image", "x509: unknown authority").hint.startswith("Add the authority")
    assert pull_failure("image", "something new").hint


def test_a_pull_of_this_release_that_fails_names_the_archive_to_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ReleaseImages(_INDEX, _PLATFORM, "mstunnel-images-1.0-amd64.tar", "registry.example.com")
    monkeypatch.setattr(pull, "release_images", lambda: own)
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


def test_an_image_of_several_platforms_has_the_digest_asked_for() -> None:
    inspected = {"Id": "abc", "Digest": _PLATFORM, "RepoDigests": [f"r/s@{_INDEX}", f"r/s@{_PLATFORM}"]}
    assert image_from(f"r/s@{_INDEX}", inspected) == Image(f"r/s@{_INDEX}", _INDEX, "abc")
    assert image_from("r/s:1", inspected).digest == _PLATFORM


def test_the_build_time_of_an_image_is_read_to_the_microsecond() -> None:
    inspected = {"Id": "abc", "Digest": _PLATFORM, "Created": "2026-11-01T12:00:00.123456789Z"}
    assert str(image_from("r/s:1", inspected).created) == "2026-11-01 12:00:00.123456+00:00"


class Dying(HttpService):
    """A service that cannot remove a container, for `reason`, the first `times` that it is asked."""

    def __init__(self, times: int, reason: str) -> None:
        self.asked = 0
        self._times = times
        self._reason = reason

    @override
    def delete(self, path: str, **parameters: str) -> Answer:
        assert (path, parameters) == ("/containers/box", {"force": "true", "v": "true"})
        self.asked += 1
        return Answer(500, self._reason.encode()) if self.asked <= self._times else Answer(200, b"[]")


_ALIVE = "as it could not be stopped: given PID did not die within timeout"
_UNTOLD = "as it could not be stopped: timed out waiting for file /run/libpod/exits/1: internal libpod error"


@pytest.mark.parametrize("reason", [_ALIVE, _UNTOLD], ids=["alive", "untold"])
def test_podman_is_asked_again_to_remove_what_takes_long_to_die(reason: str) -> None:
    service, clock = Dying(3, reason), Ticking()
    PodmanEngine(service, Processes(), clock, ("podman",), "5.4.2").remove("box")
    assert (service.asked, clock.seconds) == (4, 3)


def test_a_failure_longer_than_five_minutes_is_reported() -> None:
    service, clock = Dying(5000, _ALIVE), Ticking()
    with pytest.raises(EngineError, match=r"cannot remove the container box: .* given PID did not die"):
        PodmanEngine(service, Processes(), clock, ("podman",), "5.4.2").remove("box")
    assert clock.seconds == 300


def test_a_failure_that_waiting_does_not_fix_is_reported_at_once() -> None:
    service, clock = Dying(1000, "no space left on device"), Ticking()
    with pytest.raises(EngineError, match="no space left"):
        PodmanEngine(service, Processes(), clock, ("podman",), "5.4.2").remove("box")
    assert (service.asked, clock.seconds) == (1, 0)


class Refused(Streamed):
    """A pull that is refused at once."""

    def __init__(self) -> None:
        pass

    @property
    @override
    def ok(self) -> bool:
        return False

    @override
    def rest(self) -> Answer:
        return Answer(500, b'{"cause":"no such host","message":"ping registry: no such host"}')


def test_a_refusal_is_shown_in_the_words_of_the_engine() -> None:
    with pytest.raises(EngineError, match="ping registry: no such host") as caught:
        Pull("image", Ticking(), 10.0, lambda _done, _known: None).follow(Refused())
    assert "name resolution" in caught.value.hint
