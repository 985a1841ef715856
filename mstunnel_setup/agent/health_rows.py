"""The rows of the health table: each a pure verdict on what was observed.

Source of rows and limits: the vendor's monitoring page, health checks (docs/reference/health.md).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from mstunnel_setup.agent.measure import Machine
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.exchange.gateway_report import LATEST_PROBE, GatewayReport, Probe
from mstunnel_setup.exchange.health_state import State
from mstunnel_setup.exchange.thresholds import Threshold, Thresholds

_LATEST_CHECK_IN: Final = timedelta(minutes=5)
_LATEST_REPORT: Final = timedelta(minutes=2)
_LATEST_UPLOAD: Final = timedelta(minutes=60)
_MOST_CONNECTIONS: Final = 4990
_FEW_CORES: Final = 4
_GIGABYTE: Final = 1024**3


@dataclass(frozen=True)
class Observation:
    """Everything the rows are judged by; None is what is not known.

    `revocation` is the last answer and `revocation_problem` why there is none; `refusal` is why the tenant's
    configuration is not in use; `probe_problem` why the internal address of the site cannot be tried;
    `releases_behind` counts releases newer than this one.
    """

    now: datetime
    started: datetime
    last_check_in: datetime | None = None
    machine: Machine = field(default_factory=Machine)
    report: GatewayReport | None = None
    agent_certificate_end: datetime | None = None
    certificate_end: datetime | None = None
    revocation: RevocationState | None = None
    revocation_problem: str = ""
    probe_url: str | None = None
    probe_problem: str = ""
    proxy: str | None = None
    registry: str | None = None
    last_registry_contact: datetime | None = None
    registry_problem: str = ""
    releases_behind: int | None = None
    configuration_id: str | None = None
    refusal: str | None = None
    last_upload: datetime | None = None


@dataclass(frozen=True)
class Row:
    """One verdict; `value` is the figure behind it, in the unit that the row's definition names."""

    id: str
    title: str
    state: State
    text: str
    value: float | None = None


@dataclass(frozen=True)
class Found:
    """What a row's rule returns."""

    state: State
    text: str
    value: float | None = None


Rule = Callable[[Observation, Thresholds], Found]


def judge_rows(observation: Observation, thresholds: Thresholds) -> tuple[Row, ...]:
    """Every row, in the order of the table."""
    found = [(name, title, rule(observation, thresholds)) for name, title, rule in TABLE]
    return tuple(Row(name, title, item.state, item.text, item.value) for name, title, item in found)


def overall(rows: Sequence[Row]) -> State:
    """The worst row; what is not known does not count."""
    states = {row.state for row in rows}
    worst = (State.UNHEALTHY, State.WARNING, State.HEALTHY)
    return next((state for state in worst if state in states), State.UNKNOWN)


def _last_check_in(seen: Observation, _thresholds: Thresholds) -> Found:
    if seen.last_check_in is None:
        fresh = abs(seen.now - seen.started) <= _LATEST_CHECK_IN
        content = text("none since the agent started")
        return Found(State.UNKNOWN if fresh else State.UNHEALTHY, content)
    age = abs(seen.now - seen.last_check_in)
    state = State.HEALTHY if age <= _LATEST_CHECK_IN else State.UNHEALTHY
    return Found(state, f"{_ago(age)} ago", age.total_seconds())


def _connections(seen: Observation, _thresholds: Thresholds) -> Found:
    report = current_report(seen)
    if report is None or report.connections is None:
        return Found(State.UNKNOWN, "the gateway does not report it")
    state = State.HEALTHY if report.connections <= _MOST_CONNECTIONS else State.UNHEALTHY
    return Found(state, f"{report.connections}", report.connections)


def _throughput(seen: Observation, _thresholds: Thresholds) -> Found:
    bits = seen.machine.throughput_bits
    if bits is None:
        return Found(State.UNKNOWN, "not measured yet")
    # The table gives this row no limits.
    return Found(State.HEALTHY, f"{bits / 1e6:.1f} Mbit/s", bits)


def _cpu(seen: Observation, thresholds: Thresholds) -> Found:
    return _percent(seen.machine.cpu_percent, thresholds.cpu_usage)


def _cores(seen: Observation, _thresholds: Thresholds) -> Found:
    cores = seen.machine.cores
    if cores is None:
        return Found(State.UNKNOWN, "the kernel does not report it")
    if cores >= _FEW_CORES:
        return Found(State.HEALTHY, f"{cores}", cores)
    return Found(State.WARNING if cores else State.UNHEALTHY, f"{cores}", cores)


def _memory(seen: Observation, thresholds: Thresholds) -> Found:
    return _percent(seen.machine.memory_percent, thresholds.memory_usage)


def _disk(seen: Observation, thresholds: Thresholds) -> Found:
    free = seen.machine.disk_free_bytes
    if free is None:
        return Found(State.UNKNOWN, "the file system does not report it")
    limit = thresholds.disk_space
    gigabytes = free / _GIGABYTE
    content = text("{gigabytes:.1f} GB free", gigabytes=gigabytes)
    if gigabytes > limit.healthy:
        return Found(State.HEALTHY, content, free)
    return Found(State.WARNING if gigabytes >= limit.unhealthy else State.UNHEALTHY, content, free)


def _latency(seen: Observation, thresholds: Thresholds) -> Found:
    probe = _current_probe(seen)
    seconds = None if probe is None else probe.connect_seconds
    if seconds is None:
        return Found(State.UNKNOWN, "no answer of the internal address to measure")
    milliseconds = 1000 * seconds
    text = f"{milliseconds:.1f} ms"
    if milliseconds < thresholds.latency.healthy:
        return Found(State.HEALTHY, text, seconds)
    worse = State.UNHEALTHY if milliseconds > thresholds.latency.unhealthy else State.WARNING
    return Found(worse, text, seconds)


def _agent_certificate(seen: Observation, thresholds: Thresholds) -> Found:
    return _days(seen.agent_certificate_end, seen.now, thresholds.certificate_days)


def _certificate(seen: Observation, thresholds: Thresholds) -> Found:
    return _days(seen.certificate_end, seen.now, thresholds.certificate_days)


def _revocation(seen: Observation, _thresholds: Thresholds) -> Found:
    if seen.revocation is None:
        return Found(State.UNKNOWN, "not asked yet")
    if seen.revocation is RevocationState.NOT_OFFERED:
        return Found(State.UNKNOWN, text("the certificate names no OCSP responder or CRL"))
    if seen.revocation is RevocationState.GOOD:
        return Found(State.HEALTHY, "not revoked")
    if seen.revocation is RevocationState.REVOKED:
        return Found(State.UNHEALTHY, "revoked")
    why = (
        text(": {revocation_problem}", revocation_problem=seen.revocation_problem)
        if seen.revocation_problem
        else ""
    )
    return Found(State.WARNING, f"cannot be determined{why}")


def _internal_network(seen: Observation, _thresholds: Thresholds) -> Found:
    if seen.probe_problem:
        return Found(State.WARNING, f"the site's internal address cannot be used: {seen.probe_problem}")
    if not seen.probe_url:
        return Found(State.UNKNOWN, "the site names no internal address")
    probe = _current_probe(seen)
    if probe is None:
        return Found(State.UNKNOWN, f"{seen.probe_url} has not been tried yet")
    if probe.reached:
        return Found(State.HEALTHY, text("{url} returned HTTP {status}", url=probe.url, status=probe.status))
    return Found(State.UNHEALTHY, f"{probe.url}: {probe.words} ({_way(seen)})")


def _upgradeability(seen: Observation, _thresholds: Thresholds) -> Found:
    if seen.registry is None:
        return Found(State.UNKNOWN, "the registry of the images is unknown")
    if seen.last_registry_contact is None:
        fresh = abs(seen.now - seen.started) <= _LATEST_CHECK_IN
        return Found(State.UNKNOWN if fresh else State.UNHEALTHY, f"{seen.registry}: {seen.registry_problem}")
    age = abs(seen.now - seen.last_registry_contact)
    # The tries are five minutes apart, and the table allows five minutes: one minute for the try itself.
    if age <= _LATEST_CHECK_IN + timedelta(minutes=1):
        return Found(State.HEALTHY, f"{seen.registry} answered {_ago(age)} ago", age.total_seconds())
    content = text(
        "{registry} answered last {age} ago: {registry_problem}",
        registry=seen.registry,
        age=_ago(age),
        registry_problem=seen.registry_problem,
    )
    return Found(State.UNHEALTHY, content, age.total_seconds())


def _version(seen: Observation, _thresholds: Thresholds) -> Found:
    behind = seen.releases_behind
    if behind is None:
        return Found(State.UNKNOWN, text("the tenant does not report it"))
    if behind <= 0:
        return Found(State.HEALTHY, "the newest", 0)
    if behind == 1:
        return Found(State.WARNING, "a newer release exists", 1)
    return Found(State.UNHEALTHY, f"{behind} releases behind: out of support", behind)


def _server_container(seen: Observation, _thresholds: Thresholds) -> Found:
    if seen.report is None:
        fresh = abs(seen.now - seen.started) <= _LATEST_REPORT
        return Found(State.UNKNOWN if fresh else State.UNHEALTHY, "the gateway has not reported yet")
    age = abs(seen.now - seen.report.at)
    if age > _LATEST_REPORT:
        return Found(State.UNHEALTHY, f"the gateway has not reported for {_ago(age)}")
    if seen.report.connections is None:
        return Found(State.UNHEALTHY, "the gateway runs, but its server does not answer")
    return Found(State.HEALTHY, "serving")


def _configuration(seen: Observation, _thresholds: Thresholds) -> Found:
    if seen.refusal is not None:
        return Found(State.UNHEALTHY, f"could not be applied; the earlier one stays in use: {seen.refusal}")
    if seen.configuration_id is None:
        return Found(State.UNKNOWN, "not pulled yet")
    return Found(State.HEALTHY, "applied")


def _logs(seen: Observation, _thresholds: Thresholds) -> Found:
    if seen.last_upload is None:
        return Found(State.UNKNOWN, "logs stay on this server; nothing is uploaded")
    age = abs(seen.now - seen.last_upload)
    state = State.HEALTHY if age <= _LATEST_UPLOAD else State.UNHEALTHY
    return Found(state, f"uploaded {_ago(age)} ago", age.total_seconds())


TABLE: Final[tuple[tuple[str, str, Rule], ...]] = (
    ("last-check-in", text("Last check-in"), _last_check_in),
    ("connections", text("Current connections"), _connections),
    ("throughput", text("Throughput"), _throughput),
    ("cpu-usage", text("CPU usage"), _cpu),
    ("cpu-cores", text("CPU cores"), _cores),
    ("memory-usage", text("Memory usage"), _memory),
    ("disk-space", text("Disk space"), _disk),
    ("latency", text("Latency"), _latency),
    ("agent-certificate", text("Management agent certificate"), _agent_certificate),
    ("tls-certificate", text("TLS certificate"), _certificate),
    ("tls-revocation", text("TLS certificate revocation"), _revocation),
    ("internal-network", text("Internal network accessibility"), _internal_network),
    ("upgradeability", text("Upgradeability"), _upgradeability),
    ("server-version", text("Server version"), _version),
    ("server-container", text("Server container"), _server_container),
    ("server-configuration", text("Server configuration"), _configuration),
    ("server-logs", text("Server logs"), _logs),
)
"""Id, title and rule of every row, in the order of the vendor's table."""


def current_report(seen: Observation) -> GatewayReport | None:
    """The gateway's report, unless it is too old to say anything about now."""
    report = seen.report
    return report if report is not None and abs(seen.now - report.at) <= _LATEST_REPORT else None


def _current_probe(seen: Observation) -> Probe | None:
    report = current_report(seen)
    probe = None if report is None else report.probe
    if probe is None or probe.url != seen.probe_url or abs(seen.now - probe.at) > LATEST_PROBE:
        return None
    return probe


def _way(seen: Observation) -> str:
    """How the gateway went: what a person needs to try the same."""
    servers = ", ".join(seen.report.nameservers) if seen.report else ""
    proxy = f"proxy {seen.proxy}" if seen.proxy else text("no proxy")
    return f"{proxy}, DNS {servers or 'unknown'}"


def _percent(value: float | None, limit: Threshold) -> Found:
    if value is None:
        return Found(State.UNKNOWN, "not measured yet")
    whole = round(value)
    text = f"{whole} %"
    if whole <= limit.healthy:
        return Found(State.HEALTHY, text, value)
    return Found(State.UNHEALTHY if whole >= limit.unhealthy else State.WARNING, text, value)


def _days(end: datetime | None, now: datetime, limit: Threshold) -> Found:
    if end is None:
        return Found(State.UNKNOWN, "it cannot be read")
    days = (end - now) / timedelta(days=1)
    if days <= limit.unhealthy:
        return Found(State.UNHEALTHY, f"ended on {end:%Y-%m-%d}", days)
    state = State.HEALTHY if days > limit.healthy else State.WARNING
    return Found(state, f"ends on {end:%Y-%m-%d}, in {int(days)} days", days)


def _ago(age: timedelta) -> str:
    seconds = int(age.total_seconds())
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {name}"
    return f"{seconds} s"
