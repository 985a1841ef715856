"""The rules of the health table: each judges one row by what the agent observed.

Source of the limits: the vendor's monitoring page, health checks (docs/reference/health.md).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from mstunnel_setup.base.text import ago, text
from mstunnel_setup.certificates.expiry import Expiry, expiry
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.exchange.gateway_report import LATEST_REPORT
from mstunnel_setup.exchange.health_observation import Observation, current_probe, current_report
from mstunnel_setup.exchange.health_report import LATEST_CHECK_IN, HealthState, Threshold, Thresholds

MOST_CONNECTIONS: Final = 4990
FEW_CORES: Final = 4


@dataclass(frozen=True)
class RowResult:
    """The result of a row's rule."""

    state: HealthState
    text: str
    value: float | None = None


_unknown = partial(RowResult, HealthState.UNKNOWN)
_healthy = partial(RowResult, HealthState.HEALTHY)
_warning = partial(RowResult, HealthState.WARNING)
_unhealthy = partial(RowResult, HealthState.UNHEALTHY)


def last_check_in(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Judge how long ago the tenant accepted a check-in."""
    if seen.last_check_in is None:
        return RowResult(_missing(seen, LATEST_CHECK_IN), text("none since the agent started"))
    age = abs(seen.now - seen.last_check_in)
    state = HealthState.HEALTHY if age <= LATEST_CHECK_IN else HealthState.UNHEALTHY
    return RowResult(state, text("{age} ago", age=ago(age)), age.total_seconds())


def connections(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Judge the number of connections."""
    report = current_report(seen)
    if report is None or report.connections is None:
        return _unknown(text("the gateway does not report it"))
    state = HealthState.HEALTHY if report.connections <= MOST_CONNECTIONS else HealthState.UNHEALTHY
    return RowResult(state, f"{report.connections}", report.connections)


def throughput(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Show the throughput, which has no limits."""
    bits = seen.machine.throughput_bits
    if bits is None:
        return _unknown(text("not measured yet"))
    # The vendor's table has no limits for this row.
    return _healthy(f"{bits / 1e6:.1f} Mbit/s", bits)


def cpu(seen: Observation, thresholds: Thresholds) -> RowResult:
    """Judge the use of the processor."""
    return _percent(seen.machine.cpu_percent, thresholds.cpu_usage)


def cores(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Judge the number of processor cores."""
    cores = seen.machine.cores
    if cores is None:
        return _unknown(text("the kernel does not report it"))
    if cores >= FEW_CORES:
        return _healthy(f"{cores}", cores)
    return RowResult(HealthState.WARNING if cores else HealthState.UNHEALTHY, f"{cores}", cores)


def memory(seen: Observation, thresholds: Thresholds) -> RowResult:
    """Judge the use of memory."""
    return _percent(seen.machine.memory_percent, thresholds.memory_usage)


def disk(seen: Observation, thresholds: Thresholds) -> RowResult:
    """Judge the free space of the configuration's file system."""
    free = seen.machine.disk_free_bytes
    if free is None:
        return _unknown(text("the file system does not report it"))
    limit = thresholds.disk_space
    gigabytes = free / 1024**3
    content = text("{gigabytes:.1f} GB free", gigabytes=gigabytes)
    if gigabytes > limit.healthy:
        return _healthy(content, free)
    worse = HealthState.WARNING if gigabytes >= limit.unhealthy else HealthState.UNHEALTHY
    return RowResult(worse, content, free)


def latency(seen: Observation, thresholds: Thresholds) -> RowResult:
    """Judge the time of a connection to the site's internal address."""
    probe = current_probe(seen)
    seconds = None if probe is None else probe.connect_seconds
    if seconds is None:
        return _unknown(text("no answer from the internal address to measure"))
    milliseconds = 1000 * seconds
    content = f"{milliseconds:.1f} ms"
    if milliseconds < thresholds.latency.healthy:
        return _healthy(content, seconds)
    worse = HealthState.UNHEALTHY if milliseconds > thresholds.latency.unhealthy else HealthState.WARNING
    return RowResult(worse, content, seconds)


def agent_certificate(seen: Observation, thresholds: Thresholds) -> RowResult:
    """Judge the lifetime of the agent's credential."""
    return _days(seen.agent_certificate_end, seen.now, thresholds.certificate_days)


def tls_certificate(seen: Observation, thresholds: Thresholds) -> RowResult:
    """Judge the lifetime of the certificate in use."""
    certificate = seen.certificate
    return _days(certificate.end, seen.now, thresholds.certificate_days, certificate.start)


def revocation(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Judge whether the certificate in use is revoked."""
    if seen.certificate.revocation is None:
        return _unknown(text("not asked yet"))
    if seen.certificate.revocation is RevocationState.NOT_OFFERED:
        return _unknown(text("the certificate names no OCSP responder or CRL"))
    if seen.certificate.revocation is RevocationState.GOOD:
        return _healthy(text("not revoked"))
    if seen.certificate.revocation is RevocationState.REVOKED:
        return _unhealthy(text("revoked"))
    problem = seen.certificate.problem
    if not problem:
        return _warning(text("cannot be determined"))
    return _warning(text("cannot be determined: {problem}", problem=problem))


def internal_network(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Judge whether the site's internal address answers."""
    if seen.probe_problem:
        return _warning(
            text("the site's internal address cannot be used: {problem}", problem=seen.probe_problem)
        )
    if not seen.probe_url:
        return _unknown(text("the site names no internal address"))
    probe = current_probe(seen)
    if probe is None:
        return _unknown(text("{url} has not been tried yet", url=seen.probe_url))
    if probe.reached:
        return _healthy(text("{url} returned HTTP {status}", url=probe.url, status=probe.status))
    # The text has what a person needs to repeat the attempt: proxy and name servers.
    servers = ", ".join(seen.report.nameservers) if seen.report else ""
    content = text(
        "{url}: {answer} ({proxy}, DNS {servers})",
        url=probe.url,
        answer=probe.words,
        proxy=text("proxy {proxy}", proxy=seen.proxy) if seen.proxy else text("no proxy"),
        servers=servers or text("unknown"),
    )
    return _unhealthy(content)


def upgradeability(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Judge whether the registry of the images answers."""
    if seen.registry is None:
        return _unknown(text("the registry of the images is unknown"))
    if seen.last_registry_contact is None:
        return RowResult(
            _missing(seen, LATEST_CHECK_IN),
            text("{registry}: {problem}", registry=seen.registry, problem=seen.registry_problem),
        )
    age = abs(seen.now - seen.last_registry_contact)
    # Attempts are as far apart as LATEST_CHECK_IN, five minutes; one more minute is for the attempt itself.
    if age <= LATEST_CHECK_IN + timedelta(minutes=1):
        content = text("{registry} answered {age} ago", registry=seen.registry, age=ago(age))
        return _healthy(content, age.total_seconds())
    content = text(
        "{registry} answered last {age} ago: {registry_problem}",
        registry=seen.registry,
        age=ago(age),
        registry_problem=seen.registry_problem,
    )
    return _unhealthy(content, age.total_seconds())


def version(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Judge how many releases are newer."""
    behind = seen.releases_behind
    if behind is None:
        return _unknown(text("the tenant does not report it"))
    if behind <= 0:
        return _healthy(text("the newest"), 0)
    if behind == 1:
        return _warning(text("a newer release exists"), 1)
    return _unhealthy(text("{behind} releases behind: out of support", behind=behind), behind)


def server_container(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Judge whether the gateway reports, and serves."""
    if seen.report is None:
        return RowResult(_missing(seen, LATEST_REPORT), text("the gateway has not reported yet"))
    age = abs(seen.now - seen.report.at)
    if age > LATEST_REPORT:
        return _unhealthy(text("the gateway has not reported for {age}", age=ago(age)))
    if seen.report.connections is None:
        return _unhealthy(text("the gateway runs, but its server does not answer"))
    return _healthy(text("serving"))


def configuration(seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Judge whether the site's configuration is in use."""
    if seen.refusal is not None:
        return _unhealthy(
            text("could not be applied; the earlier one stays in use: {reason}", reason=seen.refusal)
        )
    if seen.configuration_id is None:
        return _unknown(text("not pulled yet"))
    return _healthy(text("applied"))


def logs(_seen: Observation, _thresholds: Thresholds) -> RowResult:
    """Return that nothing is uploaded."""
    return _unknown(text("logs stay on this server; nothing is uploaded"))


def _missing(seen: Observation, limit: timedelta) -> HealthState:
    """Return the state of a row without an event so far: unknown shortly after the start, else unhealthy."""
    return HealthState.UNKNOWN if abs(seen.now - seen.started) <= limit else HealthState.UNHEALTHY


def _percent(value: float | None, limit: Threshold) -> RowResult:
    if value is None:
        return _unknown(text("not measured yet"))
    whole = round(value)
    content = f"{whole} %"
    if whole <= limit.healthy:
        return _healthy(content, value)
    worse = HealthState.UNHEALTHY if whole >= limit.unhealthy else HealthState.WARNING
    return RowResult(worse, content, value)


_OF_EXPIRY: Final = {
    Expiry.FAR: HealthState.HEALTHY,
    Expiry.SOON: HealthState.WARNING,
    Expiry.CRITICAL: HealthState.UNHEALTHY,
    Expiry.EXPIRED: HealthState.UNHEALTHY,
}


def _days(
    end: datetime | None, now: datetime, limit: Threshold | None, start: datetime | None = None
) -> RowResult:
    """Return the result by the rule for the lifetime, or by an administrator's limits."""
    if end is None:
        return _unknown(text("it cannot be read"))
    days = (end - now) / timedelta(days=1)
    state = _OF_EXPIRY[expiry(end, now, start)]
    if limit is not None:
        state = HealthState.HEALTHY if days > limit.healthy else HealthState.WARNING
        if days <= limit.unhealthy:
            state = HealthState.UNHEALTHY
    day = f"{end:%Y-%m-%d}"
    if days <= 0:
        return RowResult(state, text("ended on {day}", day=day), days)
    return RowResult(state, text("ends on {day}, in {days} days", day=day, days=int(days)), days)
