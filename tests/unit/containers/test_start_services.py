"""Services are started, one or several, and awaited until their containers are up."""

from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.actions import containers
from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.containers import StartService, StartServices
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.engine import ContainerState, Health
from mstunnel_setup.exchange.health_report import AgentStatus, write_status
from mstunnel_setup.io.systemd import trusted_writers
from mstunnel_setup.transaction.action import Action, Undo
from tests.refusals import refused
from tests.unit.clocks import START
from tests.unit.containers.memory import OLD_LABELS, UNIT, Ports, undo


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    return Ports(tmp_path)


def _service(timeout: float = 10) -> StartService:
    return StartService(unit=UNIT, container="gateway", label_digest="new", timeout=timeout)


def _services() -> StartServices:
    agent = StartService(unit="agent.service", container="agent", label_digest="new")
    return StartServices(services=(_service(), agent))


def test_records_of_single_services_are_read_and_undone(ports: Ports) -> None:
    """Check a journal with both forms: each service once had a record to itself."""
    record = {"kind": "start-service", "unit": UNIT, "container": "gateway", "label_digest": "new"}
    action = CODEC.load({**record, "timeout": 10.0})
    assert (action, action.describe()) == (_service(), f"start service {UNIT}")
    action.apply(ports, {})
    _services().apply(ports, {})
    ports.processes.known.add("agent.service")
    assert [undo(ports, each).outcome for each in (_services(), action)] == [Undo.REMOVED] * 2
    assert ports.processes.active == set()


def test_service_is_started_and_awaited(ports: Ports) -> None:
    ports.engine.healths = ["starting", "starting", "healthy"]
    action = _service()
    assert not action.satisfied(ports, {})
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    assert "systemctl start -- gateway.service" in ports.processes.calls
    assert ports.engine.probes == 1


def test_a_service_with_an_older_configuration_is_restarted(ports: Ports) -> None:
    ports.processes.active.add(UNIT)
    ports.engine.containers["gateway"] = ContainerState("running", None, OLD_LABELS)
    assert not _service().satisfied(ports, {})
    _service().apply(ports, {})
    assert "systemctl restart -- gateway.service" in ports.processes.calls


@pytest.mark.parametrize(
    ("used", "satisfied"),
    [
        ({"HTTPS_PROXY": "http://gone.example:3128"}, False),
        ({"https_proxy": "http://proxy.example:3128"}, True),
        (None, True),
    ],
    ids=["one that was removed", "those of env.sh", "not signed in yet"],
)
def test_an_agent_with_other_proxies_than_env_sh_is_restarted(
    ports: Ports, used: dict[str, str] | None, *, satisfied: bool
) -> None:
    """Check a proxy that was set and removed again: `env.sh`, and so the label, are unchanged."""
    for directory in (paths.CONFIGURATION, paths.AGENT_STATE):
        ports.files.make_directories(directory)
    ports.files.write(paths.ENVIRONMENT, b"https_proxy=http://user:word@proxy.example:3128\n")
    action = StartService(unit="mstunnel-agent.service", container=paths.AGENT, label_digest="new")
    action.apply(ports, {})
    write_status(ports.files, AgentStatus(started=START, proxies=used))
    assert action.satisfied(ports, {}) == satisfied


def test_container_without_a_health_check_must_run_for_a_while(ports: Ports) -> None:
    _service().apply(ports, {})
    assert ports.clock.elapsed >= 2


@pytest.mark.parametrize("health", ["unhealthy", "starting"])
def test_service_that_is_not_healthy_in_time_fails_with_its_log(ports: Ports, health: Health) -> None:
    ports.engine.healths = [health]
    with refused(
        EngineError, "container-failed", match=rf"running and {health}.*\n  first\n  last \[1mwords"
    ):
        _service().apply(ports, {})
    assert ports.clock.elapsed == pytest.approx(10, abs=1)
    own = " ".join(trusted_writers())
    fields = f"CONTAINER_NAME=gateway {own} + SYSLOG_IDENTIFIER=gateway {own}"
    log = f"journalctl {fields} --lines=10 --output=cat --no-pager"
    assert log in ports.processes.calls


def test_unhealthy_is_not_final_for_a_service_that_starts_slowly(ports: Ports) -> None:
    """Check that retries are not final: the engine counts our checks, one a second, as its own."""
    starting: list[Health | None] = ["starting"] * 10
    unhealthy: list[Health | None] = ["unhealthy"] * 60
    ports.engine.healths = [*starting, *unhealthy, "healthy"]
    _service(timeout=120).apply(ports, {})
    assert ports.clock.elapsed > 20


def test_service_that_stays_unhealthy_fails_early(ports: Ports) -> None:
    ports.engine.healths = ["unhealthy"]
    with pytest.raises(EngineError, match="running and unhealthy"):
        _service(timeout=120).apply(ports, {})
    assert 40 < ports.clock.elapsed < 60


def test_service_that_ends_at_every_start_fails_early(ports: Ports) -> None:
    """Check the restarts, which only systemd counts: the container is missing between two starts."""
    ports.processes.crashes = True
    with pytest.raises(EngineError, match=r"it is missing.*\n  first"):
        _service(timeout=600).apply(ports, {})
    assert 15 <= ports.clock.elapsed < 20


def test_service_that_cannot_start_fails_with_its_log(ports: Ports) -> None:
    ports.processes.refused = "start"
    with refused(EngineError, "container-failed", match=r"it is missing.*\n  first"):
        _service().apply(ports, {})


def test_own_successful_check_is_sufficient(ports: Ports) -> None:
    ports.engine.healths, ports.engine.passes = ["starting"], True
    _service().apply(ports, {})
    assert ports.engine.probes == 1
    assert ports.clock.elapsed < 1


def test_an_unhealthy_service_is_not_satisfied(ports: Ports) -> None:
    _service().apply(ports, {})
    ports.engine.healths = ["unhealthy"]
    assert not _service().satisfied(ports, {})


def test_a_unit_does_not_replace_a_foreign_container(ports: Ports) -> None:
    ports.engine.containers["gateway"] = ContainerState("running", None, {})
    with refused(EngineError, "container-foreign"):
        _service().apply(ports, {})
    assert ports.processes.calls == []


def test_all_services_start_before_the_first_is_awaited(
    ports: Ports, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[tuple[str, set[str]]] = []

    def wait(_ports: Any, container: str, _timeout: float) -> None:
        waited.append((container, set(ports.engine.containers)))

    monkeypatch.setattr(containers, "wait_until_up", wait)
    _services().apply(ports, {})
    assert waited == [("gateway", {"gateway", "agent"}), ("agent", {"gateway", "agent"})]
    started = [call for call in ports.processes.calls if "start --" in call]
    assert started == ["systemctl start -- gateway.service agent.service"]
    assert _services().satisfied(ports, {})


@pytest.mark.parametrize("failing", ["gateway", "agent"])
def test_failure_names_the_service_that_did_not_start(ports: Ports, failing: str) -> None:
    ports.processes.refused = f"start {failing}.service"
    with refused(EngineError, "container-failed", match=rf"the container {failing} .* missing.*\n  first"):
        _services().apply(ports, {})


@pytest.mark.parametrize("foreign", ["gateway", "agent"])
def test_no_service_starts_if_a_container_is_foreign(ports: Ports, foreign: str) -> None:
    ports.engine.containers[foreign] = ContainerState("running", None, {})
    with refused(EngineError, "container-foreign"):
        _services().apply(ports, {})
    assert not [call for call in ports.processes.calls if "start --" in call]


def test_service_is_not_replaced_after_a_failure_before_it(ports: Ports) -> None:
    ports.processes.active |= {UNIT, "agent.service"}
    old = ContainerState("running", "unhealthy", OLD_LABELS)
    ports.engine.containers = {"gateway": old, "agent": old}
    ports.engine.healths = ["unhealthy"]
    with pytest.raises(EngineError, match="gateway"):
        _services().apply(ports, {})
    assert "systemctl restart -- gateway.service" in ports.processes.calls
    assert not [call for call in ports.processes.calls if "restart -- agent.service" in call]


def test_running_service_is_not_restarted(ports: Ports) -> None:
    _service().apply(ports, {})
    ports.processes.calls.clear()
    assert not _services().satisfied(ports, {})
    _services().apply(ports, {})
    started = [call for call in ports.processes.calls if "start --" in call]
    assert started == ["systemctl start -- agent.service"]


@pytest.mark.parametrize("action", [_service(), _services()], ids=lambda action: action.kind)
def test_undo_stops_the_services(ports: Ports, action: Action) -> None:
    ports.processes.known.add("agent.service")
    action.apply(ports, {})
    assert undo(ports, action).outcome is Undo.REMOVED
    assert ports.processes.active == set()
    ports.processes.known.clear()
    assert undo(ports, action).outcome is Undo.ABSENT
