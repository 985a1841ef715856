"""The agent's status, its health, and the thresholds of its health rows."""

import json
import platform
import subprocess
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from mstunnel_lab.graph.tunnel import DEFAULT_THRESHOLDS
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.exchange.health_report import (
    STATUS,
    AgentStatus,
    SyncFailure,
    Threshold,
    Thresholds,
    agent_condition,
    last_status,
    read_status,
    read_thresholds,
    with_tenant,
    write_status,
)
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.wire import HealthThreshold
from tests.refusals import refused
from tests.unit.clocks import START


def test_default_thresholds_are_those_of_the_documentation(files: Files) -> None:
    found = read_thresholds(files)

    assert (found.cpu_usage, found.memory_usage) == (Threshold(healthy=95, unhealthy=100),) * 2
    assert found.disk_space == Threshold(healthy=5, unhealthy=3)
    assert found.latency == Threshold(healthy=10, unhealthy=20)
    assert found.certificate_days is None


def test_thresholds_of_the_tenant_override_those_of_the_server(files: Files) -> None:
    files.write(
        paths.HEALTH_THRESHOLDS,
        b'{"cpu_usage": {"healthy": 60, "unhealthy": 70}, "disk_space": {"healthy": 20, "unhealthy": 9}}',
    )
    local = read_thresholds(files)
    assert local.cpu_usage == Threshold(healthy=60, unhealthy=70)
    assert local.latency == Threshold(healthy=10, unhealthy=20)

    tenant = HealthThreshold(id="cpuUsage", healthy_threshold=50, unhealthy_threshold=75)
    found = with_tenant(local, [tenant])

    assert found.cpu_usage == Threshold(healthy=50, unhealthy=75)
    assert found.disk_space == Threshold(healthy=20, unhealthy=9)


def test_every_metric_of_the_lab_tenant_is_known() -> None:
    tenant = DEFAULT_THRESHOLDS
    found = with_tenant(Thresholds(), tenant)

    assert found.cpu_usage == found.memory_usage == Threshold(healthy=50, unhealthy=75)
    assert found.disk_space == Threshold(healthy=5, unhealthy=3)


@pytest.mark.parametrize("unusable", [{"id": "somethingNew"}, {"id": "cpuUsage", "healthy_threshold": None}])
def test_thresholds_missing_in_the_tenant_are_kept(unusable: dict[str, str | None]) -> None:
    assert with_tenant(Thresholds(), [HealthThreshold.model_validate(unusable)]) == Thresholds()


@pytest.mark.parametrize(
    ("content", "place"),
    [(b"{", ""), (b'{"cpu": {}}', "cpu"), (b'{"latency": {"healthy": "fast"}}', "latency.healthy")],
)
def test_invalid_thresholds_are_reported_with_their_place(files: Files, content: bytes, place: str) -> None:
    files.write(paths.HEALTH_THRESHOLDS, content)
    with refused(StepError, "thresholds-invalid", match=place or "cannot be read"):
        read_thresholds(files)


CHECK = Path(__file__).parents[3] / "images/agent/healthcheck"


def script(files: Files) -> str:
    """Return the image's health check for the status below this root."""
    return CHECK.read_text().replace(STATUS, str(files.locate(STATUS)))


def at(seconds: float | None) -> datetime | None:
    return None if seconds is None else START + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("last_round", "checked_in", "now", "healthy", "reason"),
    [
        (None, None, 0, True, "has not checked in yet"),
        (None, None, 299, True, "has not checked in yet"),
        (None, None, 300, False, "has been inactive since 2026-01-01T00:00:00+00:00"),
        (60, None, 359, True, "has not checked in yet"),
        (600, 10, 700, True, "checked in at 2026-01-01T00:00:10+00:00"),
        (600, 10, 900, False, "has been inactive since 2026-01-01T00:10:00+00:00"),
        (10_000, 10_000, 200, False, "has been inactive since"),
    ],
)
def test_agent_is_healthy_while_its_rounds_continue(
    last_round: float | None, checked_in: float | None, now: float, healthy: bool, reason: str
) -> None:
    status = AgentStatus(started=START, last_round=at(last_round), last_check_in=at(checked_in))
    found, why = agent_condition(status, START + timedelta(seconds=now))

    assert found is healthy
    assert reason in why


def test_the_reason_names_the_last_error() -> None:
    failure = SyncFailure(code="network-unreachable", message="graph.example is away", hint="", at=START)
    _, reason = agent_condition(AgentStatus(started=START, last_error=failure), START)

    assert reason.endswith(": graph.example is away")


def test_status_with_unknown_fields_is_read(files: Files) -> None:
    """Check a status of an earlier release, which had fields for the configuration."""
    status = AgentStatus(started=START)
    written = {**status.model_dump(mode="json"), "configuration_id": "c1", "configuration_digest": None}
    files.write(STATUS, json.dumps(written).encode())
    assert read_status(files) == status


def test_status_of_another_container_is_ignored(files: Files) -> None:
    status = AgentStatus(started=START, last_check_in=START)
    assert read_status(files) is None
    write_status(files, status)
    assert read_status(files) == status
    write_status(files, AgentStatus(started=START, container="another"))
    assert read_status(files) is None


def test_host_reads_the_status_of_any_container_and_newer_agents(files: Files) -> None:
    assert last_status(files) is None
    failure = SyncFailure(code="network-unreachable", message="graph.example is away", hint="", at=START)
    status = AgentStatus(started=START, last_error=failure, container="another")
    document = status.model_dump(mode="json")
    document |= {"new": 1, "last_error": document["last_error"] | {"new": 2}}
    files.write(STATUS, json.dumps(document).encode(), 0o644)
    assert last_status(files) == status


@pytest.mark.parametrize(
    ("container", "minutes", "healthy"),
    [(platform.node(), 1, True), ("another", 1, False), (platform.node(), 6, False)],
)
def test_health_check_of_the_image_gives_the_same_result(
    files: Files, container: str, minutes: int, healthy: bool
) -> None:
    """Check the image's script, which runs without the program."""
    write_status(files, AgentStatus(started=START, container=container))
    files.set_modified(STATUS, time.time() - 60 * minutes)

    assert (subprocess.run(["sh", "-c", script(files)], check=False).returncode == 0) is healthy


def test_container_without_a_status_is_not_healthy(files: Files) -> None:
    assert subprocess.run(["sh", "-c", script(files)], capture_output=True, check=False).returncode != 0


@pytest.mark.parametrize(("minutes", "healthy"), [(0, True), (2, False)])
def test_health_check_in_the_first_minute_waits(files: Files, minutes: int, healthy: bool) -> None:
    """Check the first check by Podman, which comes with the start: its failure leaves a failed unit."""
    now = float(Path("/proc/uptime").read_text().split()[0])
    process = files.root / "stat"
    process.write_text(f"1 (a) b) S {'0 ' * 18}{now * 100 - 6000 * minutes:.0f} 0\n")
    checks = script(files).replace("/proc/1/stat", str(process))

    with subprocess.Popen(["sh", "-c", checks], stderr=subprocess.DEVNULL) as check:
        time.sleep(0.5)
        write_status(files, AgentStatus(started=START, container=platform.node()))

    assert (check.returncode == 0) is healthy


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b'{"started": "yesterday"}'])
def test_invalid_status_is_ignored(files: Files, content: bytes) -> None:
    files.write(STATUS, content)

    assert read_status(files) is None
    assert agent_condition(None, START) == (False, "the agent is not running")
