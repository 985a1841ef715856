"""The health table, row by row: figures that are healthy, a warning, unhealthy or unknown."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.exchange.gateway_report import GatewayReport, Probe
from mstunnel_setup.exchange.health_observation import GatewayCertificate, Observation
from mstunnel_setup.exchange.health_report import HealthState, Threshold, Thresholds
from mstunnel_setup.exchange.health_rows import ROWS, judge_rows, overall
from tests.cases import every
from tests.unit.agent.seen import NO_FIGURES, observation
from tests.unit.clocks import START

NOW = START + timedelta(days=1)
URL = "http://intranet.example/"
GIGABYTE = 1024**3
REFUSED = {"http_code": 0, "exitcode": 7, "errormsg": "Failed to connect to intranet.example port 80"}


def ago(**age: float) -> datetime:
    return NOW - timedelta(**age)


def later(**time: float) -> datetime:
    return NOW + timedelta(**time)


def report(age: float = 10, **facts: Any) -> dict[str, Any]:
    return {"report": GatewayReport(at=ago(seconds=age), **{"connections": 3, **facts})}


def machine(**figures: Any) -> dict[str, Any]:
    return {"machine": replace(NO_FIGURES, **figures)}


def certificate(*facts: Any) -> dict[str, Any]:
    return {"certificate": GatewayCertificate(*facts)}


def six_days(end: datetime) -> dict[str, Any]:
    return {"certificate": GatewayCertificate(end, start=end - timedelta(days=6))}


def probe(account: dict[str, Any], *, age: float = 60, url: str = URL) -> dict[str, Any]:
    tried = Probe(ago(seconds=age), url, account)
    return {"probe_url": URL, **report(probe=tried, nameservers=("10.0.0.53",))}


def connected(milliseconds: float) -> dict[str, Any]:
    times = {"time_namelookup": 0.5, "time_connect": 0.5 + milliseconds / 1000}
    return probe({"http_code": 200, **times})


# Row, state, facts, and words of the text, in the order of the table.
CASES: list[tuple[str, str, dict[str, Any], str]] = [
    ("last-check-in", "healthy", {"last_check_in": ago(minutes=5)}, "5 min ago"),
    ("last-check-in", "unhealthy", {"last_check_in": ago(minutes=5, seconds=1)}, "5 min ago"),
    ("last-check-in", "unhealthy", {"last_check_in": later(minutes=6)}, "6 min"),
    ("last-check-in", "unhealthy", {}, "none since the agent started"),
    ("last-check-in", "unknown", {"started": ago(minutes=4)}, "none since the agent started"),
    ("connections", "healthy", report(connections=4990), "4990"),
    ("connections", "unhealthy", report(connections=4991), "4991"),
    ("connections", "unknown", report(connections=None), "does not report it"),
    ("connections", "unknown", report(age=121), "does not report it"),
    ("connections", "unknown", {}, "does not report it"),
    ("throughput", "healthy", machine(throughput_bits=12_300_000.0), "12.3 Mbit/s"),
    ("throughput", "unknown", {}, "not measured"),
    ("cpu-usage", "healthy", machine(cpu_percent=95.4), "95 %"),
    ("cpu-usage", "warning", machine(cpu_percent=95.6), "96 %"),
    ("cpu-usage", "warning", machine(cpu_percent=99.4), "99 %"),
    ("cpu-usage", "unhealthy", machine(cpu_percent=99.6), "100 %"),
    ("cpu-usage", "unknown", {}, "not measured"),
    ("cpu-cores", "healthy", machine(cores=4), "4"),
    ("cpu-cores", "warning", machine(cores=3), "3"),
    ("cpu-cores", "warning", machine(cores=1), "1"),
    ("cpu-cores", "unhealthy", machine(cores=0), "0"),
    ("cpu-cores", "unknown", {}, "does not report it"),
    ("memory-usage", "healthy", machine(memory_percent=95.0), "95 %"),
    ("memory-usage", "warning", machine(memory_percent=96.0), "96 %"),
    ("memory-usage", "unhealthy", machine(memory_percent=100.0), "100 %"),
    ("memory-usage", "unknown", {}, "not measured"),
    ("disk-space", "healthy", machine(disk_free_bytes=5 * GIGABYTE + 1), "5.0 GB free"),
    ("disk-space", "warning", machine(disk_free_bytes=5 * GIGABYTE), "5.0 GB free"),
    ("disk-space", "warning", machine(disk_free_bytes=3 * GIGABYTE), "3.0 GB free"),
    ("disk-space", "unhealthy", machine(disk_free_bytes=3 * GIGABYTE - 1), "3.0 GB free"),
    ("disk-space", "unknown", {}, "does not report it"),
    ("latency", "healthy", connected(9.9), "9.9 ms"),
    ("latency", "warning", connected(10.1), "10.1 ms"),
    ("latency", "warning", connected(19.9), "19.9 ms"),
    ("latency", "unhealthy", connected(20.1), "20.1 ms"),
    ("latency", "unknown", {}, "no answer"),
    ("agent-certificate", "healthy", {"agent_certificate_end": later(days=31)}, "in 31 days"),
    ("agent-certificate", "warning", {"agent_certificate_end": later(days=30)}, "in 30 days"),
    ("agent-certificate", "unhealthy", {"agent_certificate_end": later(days=3)}, "in 3 days"),
    ("agent-certificate", "unhealthy", {"agent_certificate_end": ago(seconds=1)}, "ended on 2026-01-01"),
    ("agent-certificate", "unknown", {}, "cannot be read"),
    ("tls-certificate", "healthy", certificate(later(days=31)), "in 31 days"),
    ("tls-certificate", "warning", certificate(later(days=30)), "in 30 days"),
    ("tls-certificate", "unhealthy", certificate(later(days=3)), "in 3 days"),
    ("tls-certificate", "unhealthy", certificate(ago(seconds=1)), "ended on 2026-01-01"),
    # The certificate is valid for six days: a third is two days, a tenth 14.4 hours.
    ("tls-certificate", "healthy", six_days(later(hours=49)), "in 2 days"),
    ("tls-certificate", "warning", six_days(later(hours=48)), "in 2 days"),
    ("tls-certificate", "warning", six_days(later(hours=15)), "in 0 days"),
    ("tls-certificate", "unhealthy", six_days(later(hours=14)), "in 0 days"),
    ("tls-certificate", "unknown", {}, "cannot be read"),
    ("tls-revocation", "healthy", certificate(NOW, RevocationState.GOOD), "not revoked"),
    ("tls-revocation", "warning", certificate(NOW, RevocationState.UNKNOWN), "cannot be determined"),
    ("tls-revocation", "warning", certificate(NOW, RevocationState.NOT_ASKED), "cannot be determined"),
    (
        "tls-revocation",
        "warning",
        certificate(NOW, RevocationState.UNREACHABLE, "http://ocsp.example: refused"),
        "cannot be determined: http://ocsp.example: refused",
    ),
    ("tls-revocation", "unhealthy", certificate(NOW, RevocationState.REVOKED), "revoked"),
    (
        "tls-revocation",
        "unknown",
        certificate(NOW, RevocationState.NOT_OFFERED),
        "names no OCSP responder or CRL",
    ),
    ("tls-revocation", "unknown", {}, "not asked yet"),
    ("internal-network", "healthy", probe({"http_code": 200}), f"{URL} returned HTTP 200"),
    ("internal-network", "healthy", probe({"http_code": 403}), "HTTP 403"),
    ("internal-network", "unhealthy", probe({"http_code": 502}), "status 502"),
    ("internal-network", "unhealthy", probe({"http_code": 407}), "status 407"),
    (
        "internal-network",
        "unhealthy",
        probe(REFUSED),
        f"{URL}: Failed to connect to intranet.example port 80 (curl 7) (no proxy, DNS 10.0.0.53)",
    ),
    (
        "internal-network",
        "unhealthy",
        {**probe({}), "proxy": "http://proxy.example:8080"},
        "no answer (curl ?) (proxy http://proxy.example:8080, DNS 10.0.0.53)",
    ),
    ("internal-network", "unknown", {"probe_url": URL}, "has not been tried yet"),
    (
        "internal-network",
        "unknown",
        probe({"http_code": 200}, url="http://before.example/"),
        "not been tried",
    ),
    ("internal-network", "unknown", probe({"http_code": 200}, age=661), "not been tried"),
    ("internal-network", "unknown", {}, "names no internal address"),
    (
        "upgradeability",
        "healthy",
        {"registry": "registry.example", "last_registry_contact": ago(minutes=5)},
        "registry.example answered 5 min ago",
    ),
    (
        "upgradeability",
        "unhealthy",
        {"registry": "r", "last_registry_contact": ago(minutes=7), "registry_problem": "r is away"},
        "r is away",
    ),
    ("upgradeability", "unhealthy", {"registry": "r", "registry_problem": "r is away"}, "r: r is away"),
    ("upgradeability", "unknown", {"registry": "r", "started": ago(minutes=1)}, "r:"),
    ("upgradeability", "unknown", {}, "is unknown"),
    ("server-version", "healthy", {"releases_behind": 0}, "the newest"),
    ("server-version", "warning", {"releases_behind": 1}, "a newer release"),
    ("server-version", "unhealthy", {"releases_behind": 2}, "2 releases behind"),
    ("server-version", "unknown", {}, "does not report it"),
    ("server-container", "healthy", report(age=120), "serving"),
    ("server-container", "unhealthy", report(age=121), "not reported for 2 min"),
    ("server-container", "unhealthy", report(connections=None), "does not answer"),
    ("server-container", "unhealthy", {}, "not reported yet"),
    ("server-container", "unknown", {"started": ago(minutes=1)}, "not reported yet"),
    ("server-configuration", "healthy", {"configuration_id": "c1"}, "applied"),
    ("server-configuration", "unhealthy", {"configuration_id": "c1", "refusal": "bad pool"}, "bad pool"),
    ("server-configuration", "unknown", {}, "not pulled"),
    ("server-logs", "unknown", {}, "stay on this server"),
]
# States that a row does not have.
WITHOUT = {
    "last-check-in": {"warning"},
    "connections": {"warning"},
    "throughput": {"warning", "unhealthy"},
    "internal-network": {"warning"},
    "upgradeability": {"warning"},
    "server-container": {"warning"},
    "server-configuration": {"warning"},
    "server-logs": {"healthy", "warning", "unhealthy"},
}


def seen(**facts: Any) -> Observation:
    return observation(NOW, **{"started": START, **facts})


@every("row, state, facts, words", CASES)
def test_row_has_its_state_and_text(row: str, state: str, facts: dict[str, Any], words: str) -> None:
    found = {item.id: item for item in judge_rows(seen(**facts), Thresholds())}[row]

    assert found.state == state
    assert words in found.text


@every("row", [row.id for row in ROWS])
def test_every_state_of_every_row_has_a_case(row: str) -> None:
    assert {state for name, state, _, _ in CASES if name == row} == set(HealthState) - WITHOUT.get(row, set())


@pytest.mark.parametrize(
    ("row", "threshold", "facts", "state"),
    [
        ("cpu-usage", "cpu_usage", machine(cpu_percent=60), "warning"),
        ("cpu-usage", "cpu_usage", machine(cpu_percent=75), "unhealthy"),
        ("memory-usage", "memory_usage", machine(memory_percent=50), "healthy"),
        ("memory-usage", "memory_usage", machine(memory_percent=80), "unhealthy"),
        ("disk-space", "disk_space", machine(disk_free_bytes=60 * GIGABYTE), "warning"),
        ("disk-space", "disk_space", machine(disk_free_bytes=49 * GIGABYTE), "unhealthy"),
        ("latency", "latency", connected(60), "warning"),
        ("latency", "latency", connected(80), "unhealthy"),
        ("tls-certificate", "certificate_days", certificate(later(days=70)), "warning"),
    ],
)
def test_thresholds_can_be_set(row: str, threshold: str, facts: dict[str, Any], state: str) -> None:
    lower = threshold == "disk_space"
    wanted = Threshold(healthy=75 if lower else 50, unhealthy=50 if lower else 75)
    if threshold == "certificate_days":
        wanted = Threshold(healthy=80, unhealthy=0)
    limits = Thresholds().model_copy(update={threshold: wanted})

    assert {item.id: item for item in judge_rows(seen(**facts), limits)}[row].state == state


def test_unhealthy_certificate_is_not_called_expired() -> None:
    limits = Thresholds(certificate_days=Threshold(healthy=30, unhealthy=14))
    rows = {item.id: item for item in judge_rows(seen(**certificate(later(days=5))), limits)}

    assert rows["tls-certificate"].state is HealthState.UNHEALTHY
    assert rows["tls-certificate"].text == "ends on 2026-01-07, in 5 days"


def test_server_has_the_state_of_its_worst_known_row() -> None:
    nothing = judge_rows(observation(NOW), Thresholds())
    assert overall(nothing) is HealthState.UNKNOWN

    well = {"last_check_in": NOW, "registry": "r", "last_registry_contact": NOW, **report()}
    assert overall(judge_rows(seen(**well), Thresholds())) is HealthState.HEALTHY
    assert overall(judge_rows(seen(**well, releases_behind=1), Thresholds())) is HealthState.WARNING
    assert (
        overall(judge_rows(seen(**well, releases_behind=1, refusal="no"), Thresholds()))
        is HealthState.UNHEALTHY
    )
    assert overall(judge_rows(seen(**well, **machine(cores=0)), Thresholds())) is HealthState.UNHEALTHY
