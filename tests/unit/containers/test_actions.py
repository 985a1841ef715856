"""The actions with an engine and a systemd in memory; retries of pulls within one deadline."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mstunnel_setup.actions.containers import LoadImage, PullImage, RunContainer
from mstunnel_setup.actions.units import InstallQuadlet, InstallUnit
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.container_spec import ContainerSpec, HealthCheck, Progress
from mstunnel_setup.containers.engine import ContainerState, Health, Image, pull_failure
from mstunnel_setup.containers.quadlet import render
from mstunnel_setup.transaction.action import Action, Undo, UndoRecord
from tests.unit.clocks import FakeClock
from tests.unit.containers.memory import DIGEST, OLD_LABELS, Ports, undo
from tests.unit.fakes import no_progress

_IMAGE = f"registry.example/server@{DIGEST}"
_PATH = "/etc/containers/systemd/gateway.container"


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return Ports(tmp_path)


def _spec(digest: str = "new", health: HealthCheck | None = None) -> ContainerSpec:
    return ContainerSpec(
        name="gateway",
        image=_IMAGE,
        description="Gateway",
        health=health,
        labels={"org.mstunnel.configuration": digest},
    )


# --- images -----------------------------------------------------------------------------------------------


def test_pull_is_applied_and_undone(ports: Ports) -> None:
    action = PullImage(reference=_IMAGE)
    before = action.capture(ports)
    assert not action.satisfied(ports, {})
    assert action.apply(ports, {}) == {"id": "id", "created": None}
    assert action.satisfied(ports, {})
    assert ports.fetched == [(1, 1)]
    assert undo(ports, action, before).outcome is Undo.REMOVED
    assert undo(ports, action, before).outcome is Undo.ABSENT


@pytest.mark.parametrize(
    "action", [PullImage(reference=_IMAGE), LoadImage(reference=_IMAGE, archive="/tmp/images.tar")]
)
def test_progress_of_a_failed_image_is_ended(
    ports: Ports, monkeypatch: pytest.MonkeyPatch, action: Action
) -> None:
    def breaking(*arguments: Any) -> Image:
        arguments[-1](1, 2)
        raise EngineError("image-load-failed", "the disk is full")

    for name in ("pull", "load"):
        monkeypatch.setattr(ports.engine, name, breaking)
    with pytest.raises(EngineError):
        action.apply(ports, {})
    assert ports.fetched == [(1, 2), (0, 0)]


def test_image_that_was_present_before_is_kept(ports: Ports) -> None:
    assert undo(ports, PullImage(reference=_IMAGE), {"present": True}).outcome is Undo.KEPT


def test_image_in_use_is_kept_and_reported(ports: Ports) -> None:
    ports.engine.in_use = True
    undone = undo(ports, PullImage(reference=_IMAGE), {"present": False})
    assert undone.outcome is Undo.KEPT
    assert _IMAGE in undone.reason


def test_load_names_the_image_and_undo_removes_all_names(ports: Ports) -> None:
    action = LoadImage(reference=_IMAGE, archive="/a")
    before = action.capture(ports)
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert f"registry.example/server:sha256-{'ab' * 6}" in ports.engine.images
    assert undo(ports, action, before).outcome is Undo.REMOVED
    assert ports.engine.images == {}


@pytest.mark.parametrize("last", ["pull", "load"])
def test_undo_removes_what_was_pulled_and_loaded(ports: Ports, last: str) -> None:
    """Check a failed pull followed by an archive, and the reverse: both are versions of one object."""
    load, pull = LoadImage(reference=_IMAGE, archive="/a"), PullImage(reference=_IMAGE)
    versions: list[Action] = [load, pull] if last == "pull" else [pull, load]
    before = versions[0].capture(ports)
    load.apply(ports, {})
    assert versions[-1].undo(ports, UndoRecord(before, versions)).outcome is Undo.REMOVED
    assert ports.engine.images == {}


# --- Quadlet and unit file --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "action",
    [
        InstallQuadlet(path=_PATH, text=render(_spec())),
        InstallUnit(path="/etc/systemd/system/gateway.service", text="[Service]\n"),
    ],
    ids=lambda action: action.kind,
)
def test_installation_and_undo_of_a_unit_reload_systemd(
    ports: Ports, action: InstallQuadlet | InstallUnit
) -> None:
    ports.files.make_directories("/etc/systemd/system")
    before = action.capture(ports)
    assert not action.satisfied(ports, {})
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert ports.processes.calls == ["systemctl daemon-reload"]
    assert undo(ports, action, before).outcome is Undo.REMOVED
    assert ports.files.state(action.path) is None
    assert ports.processes.calls == ["systemctl daemon-reload"] * 2


def test_a_refused_quadlet_is_not_written(ports: Ports) -> None:
    with pytest.raises(EngineError):
        InstallQuadlet(path=_PATH, text="[Container]\nNonsense=1\n").apply(ports, {})
    assert ports.files.state(_PATH) is None
    assert ports.processes.calls == []


# --- container without systemd ----------------------------------------------------------------------------


def test_health_is_checked_by_the_program(ports: Ports) -> None:
    starting: list[Health | None] = ["starting"] * 20
    ports.engine.healths = [*starting, "healthy"]
    RunContainer(spec=_spec(health=HealthCheck(command=("true",), interval=3))).apply(ports, {})
    assert ports.engine.probes == 7


@pytest.mark.parametrize("status", ["created", "running", "exited"])
def test_container_of_a_killed_run_is_replaced(ports: Ports, status: str) -> None:
    ports.engine.containers["gateway"] = ContainerState(status, None, OLD_LABELS)
    action = RunContainer(spec=_spec())
    assert not action.satisfied(ports, {})
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert undo(ports, action).outcome is Undo.REMOVED
    assert undo(ports, action).outcome is Undo.ABSENT


def test_missing_container_fails(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    ports.processes.known.clear()
    monkeypatch.setattr(ports.engine, "start", ports.engine.containers.pop)
    with pytest.raises(EngineError, match="it is missing"):
        RunContainer(spec=_spec(), timeout=5).apply(ports, {})
    assert "podman logs gateway" in ports.processes.calls


def test_a_container_that_keeps_restarting_never_counts_as_up(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(_name: str) -> ContainerState:
        labels = {"org.mstunnel.managed": "1"}
        return ContainerState("running", None, labels, DIGEST, ports.clock.now())

    monkeypatch.setattr(ports.engine, "inspect", dying)
    with pytest.raises(EngineError, match="it is running"):
        RunContainer(spec=_spec(), timeout=5).apply(ports, {})


def test_container_that_the_engine_keeps_restarting_fails(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports.processes.known.clear()
    labels = {"org.mstunnel.managed": "1"}
    dying = ContainerState("restarting", "starting", labels, DIGEST, restarts=40)
    monkeypatch.setattr(ports.engine, "inspect", lambda _name: dying)
    with pytest.raises(EngineError, match="it is restarting"):
        RunContainer(spec=_spec()).apply(ports, {})
    assert 15 <= ports.clock.elapsed < 20


class Registry:
    """A registry whose attempts take `seconds` and fail with `reasons` in turn, then succeed."""

    def __init__(self, clock: FakeClock, *reasons: str, seconds: float = 1.0) -> None:
        self.clock = clock
        self.reasons = list(reasons)
        self.seconds = seconds
        self.deadlines: list[float] = []

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        self.deadlines.append(deadline)
        self.clock.sleep(self.seconds)
        if self.reasons:
            raise pull_failure(reference, self.reasons.pop(0))
        return Image(reference, DIGEST, "id")


def _pull(registry: Registry, deadline: float = 100.0) -> JsonObject:
    host: Any = SimpleNamespace(engine=registry, clock=registry.clock, progress=no_progress)
    return PullImage(reference=_IMAGE, deadline=deadline).apply(host, {})


def test_temporary_pull_failure_is_retried_in_the_deadline() -> None:
    registry = Registry(FakeClock(), "connection reset by peer", "i/o timeout")
    assert _pull(registry) == {"id": "id", "created": None}
    assert registry.deadlines == [100.0, 98.0, 93.0]


@pytest.mark.parametrize(
    ("reasons", "seconds", "deadlines"),
    [
        # At most three attempts, only one for a permanent failure, and none after the deadline.
        (["connection refused"] * 9, 1.0, [100.0, 98.0, 93.0]),
        *(([reason], 1.0, [100.0]) for reason in ("manifest unknown", "unauthorized: no", "denied")),
        *(([reason], 1.0, [100.0]) for reason in ("no space left on device", "x509: unknown authority")),
        (["connection reset"] * 9, 6.0, [10.0, 3.0]),
    ],
)
def test_pull_stops_after_three_attempts_or_at_its_deadline(
    reasons: list[str], seconds: float, deadlines: list[float]
) -> None:
    registry = Registry(FakeClock(), *reasons, seconds=seconds)
    with pytest.raises(EngineError, match=reasons[0]):
        _pull(registry, deadlines[0])
    assert registry.deadlines == deadlines


def test_other_pull_errors_are_not_retried() -> None:
    class Lying(Registry):
        def pull(self, *_: Any) -> Image:  # pyright: ignore[reportIncompatibleMethodOverride]
            self.deadlines.append(0.0)
            raise EngineError("image-digest-mismatch", "something else came")

    registry = Lying(FakeClock())
    with pytest.raises(EngineError, match="something else"):
        _pull(registry)
    assert len(registry.deadlines) == 1
