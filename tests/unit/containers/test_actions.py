"""The actions against an engine and a systemd in memory."""

import hashlib
import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.containers.actions import InstallQuadlet, InstallUnit, RunContainer, StartService
from mstunnel_setup.containers.engine import ContainerState, Health
from mstunnel_setup.containers.image_actions import LoadImage, PullImage
from mstunnel_setup.containers.quadlet import render
from mstunnel_setup.containers.spec import ContainerSpec, HealthCheck
from mstunnel_setup.engine.action import Action, Codec, Undo, Undone, UndoRecord
from mstunnel_setup.errors import EngineError
from mstunnel_setup.host.errors import ProcessError
from mstunnel_setup.host.process import Completed, Processes
from mstunnel_setup.host.systemd import Systemd
from tests.unit.containers.memory import DIGEST, UNIT, Ports

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


def _service(timeout: float = 10) -> StartService:
    return StartService(unit=UNIT, container="gateway", label_digest="new", timeout=timeout)


def _undo(ports: Ports, action: Action[Any], before: Any = None) -> Undone:
    return action.undo(ports, UndoRecord({} if before is None else before, (action,), {}))


@pytest.mark.parametrize(
    "action",
    [
        PullImage(reference=_IMAGE),
        LoadImage(reference=_IMAGE, archive="/a"),
        InstallQuadlet(path=_PATH, text="x"),
        InstallUnit(path=_PATH, text="x"),
        _service(),
        RunContainer(spec=_spec(health=HealthCheck(command=("true",)))),
    ],
    ids=lambda action: action.kind,
)
def test_an_action_survives_the_journal(action: Action[Any]) -> None:
    codec = Codec([type(action)])
    assert codec.load(json.loads(json.dumps(codec.dump(action)))) == action
    assert action.describe()


# --- images -----------------------------------------------------------------------------------------------


def test_pulling(ports: Ports) -> None:
    action = PullImage(reference=_IMAGE)
    before = action.capture(ports)
    assert not action.satisfied(ports, {})
    assert action.apply(ports, {}) == {"id": "id", "created": None}
    assert action.satisfied(ports, {})
    assert ports.fetched == [(1, 1)]
    assert _undo(ports, action, before).outcome is Undo.REMOVED
    assert _undo(ports, action, before).outcome is Undo.ABSENT


def test_an_image_that_was_here_before_is_kept(ports: Ports) -> None:
    assert _undo(ports, PullImage(reference=_IMAGE), {"present": True}).outcome is Undo.KEPT


def test_an_image_in_use_is_kept_and_named(ports: Ports) -> None:
    ports.memory.in_use = True
    undone = _undo(ports, PullImage(reference=_IMAGE), {"present": False})
    assert undone.outcome is Undo.KEPT
    assert _IMAGE in undone.reason


def _archive(tmp_path: Path, digest: str) -> str:
    name = {"org.opencontainers.image.ref.name": "localhost/other:1"}
    content = json.dumps({"manifests": [{"digest": digest, "annotations": name}]}).encode()
    with tarfile.open(tmp_path / "archive", "w") as opened:
        member = tarfile.TarInfo("index.json")
        member.size = len(content)
        opened.addfile(member, io.BytesIO(content))
    return str(tmp_path / "archive")


def test_loading_gives_the_name_and_undo_takes_every_name_away(ports: Ports, tmp_path: Path) -> None:
    action = LoadImage(reference=_IMAGE, archive=_archive(tmp_path, DIGEST))
    before = action.capture(ports)
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert f"registry.example/server:sha256-{'ab' * 6}" in ports.memory.images
    assert _undo(ports, action, before).outcome is Undo.REMOVED
    # What is left is the answer of the memory to a digest, not a name.
    assert list(ports.memory.images) == [_IMAGE]


def test_an_archive_with_another_image_is_not_loaded(ports: Ports, tmp_path: Path) -> None:
    action = LoadImage(reference=_IMAGE, archive=_archive(tmp_path, "sha256:" + "cd" * 32))
    with pytest.raises(EngineError, match="cdcd") as caught:
        action.apply(ports, {})
    assert caught.value.code == "image-digest-mismatch"
    assert ports.memory.images == {}


# --- Quadlet file -----------------------------------------------------------------------------------------


def test_installing_a_quadlet(ports: Ports) -> None:
    action = InstallQuadlet(path=_PATH, text=render(_spec()))
    before = action.capture(ports)
    assert not action.satisfied(ports, {})
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert ports.processes.calls == ["systemctl daemon-reload"]
    assert _undo(ports, action, before).outcome is Undo.REMOVED
    assert ports.files.state(_PATH) is None
    assert ports.processes.calls == ["systemctl daemon-reload"] * 2


def test_a_refused_quadlet_is_not_written(ports: Ports) -> None:
    with pytest.raises(EngineError):
        InstallQuadlet(path=_PATH, text="[Container]\nNonsense=1\n").apply(ports, {})
    assert ports.files.state(_PATH) is None
    assert ports.processes.calls == []


def test_a_foreign_quadlet_file_is_restored(ports: Ports) -> None:
    ports.files.write(_PATH, b"theirs", 0o640)
    action = InstallQuadlet(path=_PATH, text=render(_spec()))
    before = action.capture(ports)
    action.apply(ports, {})
    assert _undo(ports, action, before).outcome is Undo.RESTORED
    assert ports.files.read(_PATH) == b"theirs"


def test_a_quadlet_changed_since_is_kept(ports: Ports) -> None:
    action = InstallQuadlet(path=_PATH, text=render(_spec()))
    before = action.capture(ports)
    action.apply(ports, {})
    ports.files.write(_PATH, b"edited")
    assert _undo(ports, action, before).outcome is Undo.KEPT
    assert ports.files.digest(_PATH) == hashlib.sha256(b"edited").hexdigest()


# --- unit file --------------------------------------------------------------------------------------------


def test_installing_a_unit(ports: Ports) -> None:
    path = "/etc/systemd/system/gateway.service"
    ports.files.make_directories("/etc/systemd/system")
    action = InstallUnit(path=path, text="[Service]\n")
    before = action.capture(ports)
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert ports.processes.calls == ["systemctl daemon-reload"]
    assert _undo(ports, action, before).outcome is Undo.REMOVED
    assert ports.files.read(path) is None
    assert ports.processes.calls == ["systemctl daemon-reload"] * 2


# --- service ----------------------------------------------------------------------------------------------


def test_a_service_is_started_and_waited_for(ports: Ports) -> None:
    ports.memory.healths = ["starting", "starting", "healthy"]
    action = _service()
    assert not action.satisfied(ports, {})
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert "systemctl start -- gateway.service" in ports.processes.calls
    assert ports.memory.probes == 1


def test_a_service_with_an_older_configuration_is_restarted(ports: Ports) -> None:
    ports.processes.active.add(UNIT)
    labels = {"org.mstunnel.managed": "1", "org.mstunnel.configuration": "old"}
    ports.memory.containers["gateway"] = ContainerState("running", None, labels)
    assert not _service().satisfied(ports, {})
    _service().apply(ports, {})
    assert "systemctl restart -- gateway.service" in ports.processes.calls


def test_a_container_without_health_check_has_to_last(ports: Ports) -> None:
    _service().apply(ports, {})
    assert ports.clock.elapsed >= 2


@pytest.mark.parametrize("health", ["unhealthy", "starting"])
def test_a_service_that_does_not_come_up_fails_with_its_log(ports: Ports, health: Health) -> None:
    ports.memory.healths = [health]
    with pytest.raises(EngineError, match=rf"running and {health}.*\n  first\n  last \[1mwords") as caught:
        _service().apply(ports, {})
    assert caught.value.code == "container-failed"
    assert ports.clock.elapsed == pytest.approx(10, abs=1)
    log = "journalctl CONTAINER_NAME=gateway + SYSLOG_IDENTIFIER=gateway --lines=10 --output=cat --no-pager"
    assert log in ports.processes.calls


def test_unhealthy_is_not_final_for_a_service_that_starts_slowly(ports: Ports) -> None:
    """The engine counts our checks as its own, and they come every second."""
    starting: list[Health | None] = ["starting"] * 10
    unhealthy: list[Health | None] = ["unhealthy"] * 60
    ports.memory.healths = [*starting, *unhealthy, "healthy"]
    _service(timeout=120).apply(ports, {})
    assert ports.clock.elapsed > 20


def test_a_service_that_stays_unhealthy_fails_before_its_time_is_over(ports: Ports) -> None:
    ports.memory.healths = ["unhealthy"]
    with pytest.raises(EngineError, match="running and unhealthy"):
        _service(timeout=120).apply(ports, {})
    assert 40 < ports.clock.elapsed < 60


def test_a_service_that_ends_at_every_start_fails_long_before_its_time_is_over(ports: Ports) -> None:
    """Its container is gone between two starts; only systemd knows how many there were."""
    ports.processes.crashes = True
    with pytest.raises(EngineError, match=r"it is missing.*\n  first"):
        _service(timeout=600).apply(ports, {})
    assert 15 <= ports.clock.elapsed < 20


def test_a_service_that_cannot_even_start_fails_with_its_log(ports: Ports) -> None:
    ports.processes.refused = "start"
    with pytest.raises(EngineError, match=r"it is missing.*\n  first") as caught:
        _service().apply(ports, {})
    assert caught.value.code == "container-failed"


def test_a_check_that_passes_is_enough_though_the_engine_counts_only_its_own(ports: Ports) -> None:
    ports.memory.healths, ports.memory.passes = ["starting"], True
    _service().apply(ports, {})
    assert ports.memory.probes == 1
    assert ports.clock.elapsed < 1


def test_an_unhealthy_service_is_not_satisfied(ports: Ports) -> None:
    _service().apply(ports, {})
    ports.memory.healths = ["unhealthy"]
    assert not _service().satisfied(ports, {})


def test_a_unit_does_not_replace_a_foreign_container(ports: Ports) -> None:
    ports.memory.containers["gateway"] = ContainerState("running", None, {})
    with pytest.raises(EngineError) as caught:
        _service().apply(ports, {})
    assert caught.value.code == "container-foreign"
    assert ports.processes.calls == []


def test_stopping_a_service(ports: Ports) -> None:
    _service().apply(ports, {})
    assert _undo(ports, _service()).outcome is Undo.REMOVED
    assert ports.processes.active == set()
    ports.processes.known.clear()
    assert _undo(ports, _service()).outcome is Undo.ABSENT


# --- container without systemd ----------------------------------------------------------------------------


def test_health_is_probed_from_here(ports: Ports) -> None:
    starting: list[Health | None] = ["starting"] * 20
    ports.memory.healths = [*starting, "healthy"]
    RunContainer(spec=_spec(health=HealthCheck(command=("true",), interval=3))).apply(ports, {})
    assert ports.memory.probes == 7


@pytest.mark.parametrize("status", ["created", "running", "exited"])
def test_what_a_killed_run_left_is_replaced(ports: Ports, status: str) -> None:
    labels = {"org.mstunnel.managed": "1", "org.mstunnel.configuration": "old"}
    ports.memory.containers["gateway"] = ContainerState(status, None, labels)
    action = RunContainer(spec=_spec())
    assert not action.satisfied(ports, {})
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert _undo(ports, action).outcome is Undo.REMOVED
    assert _undo(ports, action).outcome is Undo.ABSENT


def test_a_container_that_is_not_there_fails(ports: Ports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports.memory, "start", ports.memory.containers.pop)
    with pytest.raises(EngineError, match="it is missing"):
        RunContainer(spec=_spec(), timeout=5).apply(ports, {})
    assert "engine logs gateway" in ports.processes.calls


def test_a_container_that_keeps_restarting_never_counts_as_up(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dying(_name: str) -> ContainerState:
        labels = {"org.mstunnel.managed": "1"}
        return ContainerState("running", None, labels, DIGEST, ports.clock.now())

    monkeypatch.setattr(ports.memory, "inspect", dying)
    with pytest.raises(EngineError, match="it is running"):
        RunContainer(spec=_spec(), timeout=5).apply(ports, {})


def test_a_container_that_the_engine_restarts_over_and_over_is_given_up(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"org.mstunnel.managed": "1"}
    dying = ContainerState("restarting", "starting", labels, DIGEST, restarts=40)
    monkeypatch.setattr(ports.memory, "inspect", lambda _name: dying)
    with pytest.raises(EngineError, match="it is restarting"):
        RunContainer(spec=_spec()).apply(ports, {})
    assert 15 <= ports.clock.elapsed < 20


def test_a_foreign_container_stays(ports: Ports) -> None:
    ports.memory.containers["gateway"] = ContainerState("exited", None, {})
    action = RunContainer(spec=_spec())
    with pytest.raises(EngineError, match="not created by mstunnel-setup"):
        action.apply(ports, {})
    assert _undo(ports, action).outcome is Undo.KEPT
    assert "gateway" in ports.memory.containers


# --- systemd ----------------------------------------------------------------------------------------------


def test_systemd_runs_when_its_directory_exists(tmp_path: Path) -> None:
    assert Systemd(Processes(), marker=str(tmp_path)).running()
    assert not Systemd(Processes(), marker=str(tmp_path / "none")).running()


def test_what_systemd_refuses_is_an_engine_error(monkeypatch: pytest.MonkeyPatch) -> None:
    processes = Processes()

    def refuse(arguments: Sequence[str], **_options: Any) -> Completed:
        raise ProcessError("program-failed", f"`{' '.join(arguments)}` ended with 1: no")

    monkeypatch.setattr(processes, "run", refuse)
    with pytest.raises(EngineError, match="daemon-reload") as caught:
        Systemd(processes).daemon_reload()
    assert caught.value.code == "systemd-failed"
