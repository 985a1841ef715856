"""The health watch: every minute it observes, evaluates, and writes report and metrics."""

import itertools
import re
from collections import deque
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from cryptography import x509

from mstunnel_setup.agent.metrics import Counters, Round, render
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, NetworkError, SetupError, StepError, declared
from mstunnel_setup.base.log_line import Tell, error_line
from mstunnel_setup.base.parsing import json_value, whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import as_object
from mstunnel_setup.certificates import generations, revocation
from mstunnel_setup.certificates.ca_trust import added_roots, added_roots_pem, system_roots
from mstunnel_setup.certificates.certificate import is_issued_by, is_self_signed
from mstunnel_setup.certificates.read import read_material, read_roots
from mstunnel_setup.certificates.revocation import fetching
from mstunnel_setup.exchange.gateway_report import REPORT_SHOWN, read_report
from mstunnel_setup.exchange.health_observation import (
    GatewayCertificate,
    MachineLoad,
    Observation,
    SyncState,
)
from mstunnel_setup.exchange.health_report import (
    HealthReport,
    HealthState,
    ReportedRow,
    Thresholds,
    read_thresholds,
    with_tenant,
    write_health,
)
from mstunnel_setup.exchange.health_rows import judge_rows, overall
from mstunnel_setup.exchange.log_lines import HEALTH_CHANGED
from mstunnel_setup.io.changes import Changes
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession, proxy_for

_SETTLE_SECONDS: Final = 1.0
_REVOCATION_SECONDS: Final = 3600.0
_REVOCATION_TIMEOUT: Final = 5.0


@dataclass
class CertificateWatch:
    """Watches the certificate in use; queries its authority hourly, and at once for a new one."""

    files: Files
    clock: Clock
    _asked: tuple[str, float] | None = field(default=None, init=False)

    def look(self) -> GatewayCertificate:
        """Return the certificate in use now; anything unreadable is unknown, without an error."""
        try:
            chain = read_material(self.files.read(f"{paths.ACTIVE}/chain.pem") or b"").certificates
        except CertificateError:
            chain = ()
        if not chain:
            return GatewayCertificate()
        name = generations.linked(self.files) or ""
        now = self.clock.monotonic()
        if self._asked is None or self._asked[0] != name or now - self._asked[1] >= _REVOCATION_SECONDS:
            self._asked = (name, now)
            roots, seconds = added_roots_pem(self.files), _REVOCATION_TIMEOUT
            with closing(HttpSession(self.clock, roots=roots, timeout=seconds, deadline=seconds)) as http:
                certificates = (*chain, *self._issuer_of(chain[-1]))
                verdicts = revocation.ask(certificates, fetching(http), self.clock.now())
            revocation.keep(self.files, revocation.ASKED_BY_AGENT, name, verdicts, self.clock.now())
        # This reads only the agent's own results: the container cannot read those of the commands.
        asked = revocation.last(self.files, name, self.clock.now())
        leaf = chain[0]
        found = GatewayCertificate(leaf.not_valid_after_utc, start=leaf.not_valid_before_utc)
        if asked is None:
            return found
        return replace(found, revocation=asked.state, problem="; ".join(asked.problems))

    def _issuer_of(self, last: x509.Certificate) -> tuple[x509.Certificate, ...]:
        """Return the issuer of the last served certificate, if this server knows it."""
        if is_self_signed(last):
            return ()
        own = read_roots(self.files.read(f"{paths.ACTIVE}/root.pem") or b"")
        added = (root for _, root in added_roots(self.files))
        for candidate in itertools.chain(own, added, system_roots(self.files)):
            if is_issued_by(last, candidate):
                return (candidate,)
        return ()


_REGISTRY_SECONDS: Final = 300.0
_REGISTRY_TIMEOUT: Final = 10.0


@dataclass
class RegistryWatch:
    """Contacts the registry every five minutes; `ask` raises NetworkError without any response."""

    files: Files
    clock: Clock
    ask: Callable[[str], None]
    problem: str = field(default="not tried yet", init=False)
    last_contact: datetime | None = field(default=None, init=False)
    _tried: float | None = field(default=None, init=False)

    def look(self) -> str | None:
        """Return the registry's host, and contact it if it is time; None for images without a registry."""
        try:
            images = as_object(json_value(self.files.read(paths.IMAGES_CONFIGURED) or b"{}"))
        except ValueError:
            return None
        host = str(images.get("serverImageName") or "").partition("/")[0]
        # Podman uses these names for images that were loaded from an archive or built here.
        if host in ("", "localhost"):
            return None
        now = self.clock.monotonic()
        if self._tried is None or now - self._tried >= _REGISTRY_SECONDS:
            self._tried = now
            try:
                self.ask(f"https://{host}/v2/")
            except NetworkError as error:
                # The engine's trust is configured on the host; here any response counts.
                if error.code != "tls-untrusted":
                    self.problem = error.message
                    return host
            self.problem = ""
            self.last_contact = self.clock.now()
        return host


def ask_registry(clock: Clock, address: str) -> None:
    """Send a request to the image registry in a session of its own. Raises NetworkError."""
    with closing(HttpSession(clock, timeout=_REGISTRY_TIMEOUT, deadline=_REGISTRY_TIMEOUT)) as http:
        http.get(address, allow_redirects=False)


@dataclass
class HealthWatch:
    """Observes this server. `state` is its health at the last observation.

    Given `changes`, `rest` ends early when the gateway reports another number of connections.
    """

    files: Files
    clock: Clock
    tell: Tell
    counters: Counters
    ask_registry: Callable[[str], None]
    changes: Changes | None = None
    state: HealthState = field(default=HealthState.UNKNOWN, init=False)
    rows: tuple[ReportedRow, ...] = field(default=(), init=False)
    _complaint: str = field(default="", init=False)
    _connections: int | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Record the start, and create the watches."""
        self._started = self.clock.now()
        self._measure = Measure(self.files, self.clock)
        self._certificates = CertificateWatch(self.files, self.clock)
        self._registry = RegistryWatch(self.files, self.clock, self.ask_registry)

    def rest(self, seconds: float) -> float:
        """Sleep for `seconds`, or until the gateway reports a different number of connections.

        Returns the seconds that it took.
        """
        if self.changes is None:
            self.clock.sleep(seconds)
            return seconds
        began = self.clock.monotonic()
        while (slept := self.clock.monotonic() - began) < seconds:
            self.changes.watch((REPORT_SHOWN.rpartition("/")[0],))
            if self._connections_changed():
                return slept
            if self.changes.wait(seconds - slept):
                # The report is written to a temporary file first.
                self.clock.sleep(_SETTLE_SECONDS)
        return seconds

    def _connections_changed(self) -> bool:
        # `look` reports errors in the file.
        with suppress(FileError):
            reported = read_report(self.files, REPORT_SHOWN)
            return reported is not None and reported.connections != self._connections
        return False

    def look(self, known: SyncState) -> None:
        """Observe, evaluate, write. Log failures; neither a full disk nor a bug stops the agent."""
        try:
            try:
                local = read_thresholds(self.files)
            except StepError as error:
                self._complain(error)
                local = Thresholds()
            thresholds = with_tenant(local, known.thresholds)
            reported = read_report(self.files, REPORT_SHOWN)
            self._connections = reported.connections if reported else None
            observation = Observation(
                **vars(known),
                report=reported,
                certificate=self._certificates.look(),
                # The registry is contacted before the next two values, which are its results.
                registry=self._registry.look(),
                last_registry_contact=self._registry.last_contact,
                registry_problem=self._registry.problem,
                # The time is read after the steps that may take seconds.
                now=self.clock.now(),
                started=self._started,
                machine=self._measure.take(reported.transferred if reported else None),
                proxy=proxy_for(known.probe_url) if known.probe_url else None,
            )
            self.rows = judge_rows(observation, thresholds)
            state, before = overall(self.rows), self.state
            self.state = state
            if state is not before:
                worst = "; ".join(
                    text("{title}: {words}", title=row.title, words=row.text)
                    for row in self.rows
                    if row.state is state
                )
                why = "" if state is HealthState.HEALTHY else text(": {worst}", worst=worst)
                self.tell(HEALTH_CHANGED(state=state, why=why))
            report = HealthReport(
                at=observation.now,
                state=self.state,
                rows=self.rows,
                thresholds=thresholds,
                last_error=known.last_error,
            )
            write_health(self.files, report)
            metrics = render(Round(observation, self.rows, self.counters))
            self.files.write(paths.AGENT_METRICS, metrics)
        except Exception as error:  # noqa: BLE001 (the agent goes on without a look)
            self._complain(declared(error))

    def _complain(self, error: SetupError) -> None:
        """Log an error if it is new, not every minute."""
        if error.message != self._complaint:
            self.tell(error_line(error.problem))
        self._complaint = error.message


_AVERAGED_SECONDS: Final = 300.0
_CORE: Final = re.compile(r"^cpu\d+ ", re.MULTILINE)
_IDLE: Final = slice(3, 5)
# proc_stat(5): guest time is already included in user time.
_COUNTED: Final = slice(0, 8)


@dataclass(frozen=True)
class _Sample:
    at: float
    busy: int
    total: int
    memory_percent: float | None


@dataclass
class Measure:
    """Measures this machine: processor, memory, disk; in a container the host's figures.

    The number of samples is limited, whatever the time between them.
    """

    files: Files
    clock: Clock
    _samples: deque[_Sample] = field(default_factory=lambda: deque(maxlen=30), init=False)
    _moved: tuple[float, int] | None = field(default=None, init=False)

    def take(self, transferred: int | None) -> MachineLoad:
        """Measure now; `transferred` is the gateway's count of bytes in and out, None if unknown."""
        stat = self._text("/proc/stat")
        now = self.clock.monotonic()
        busy, total = _processor(stat)
        self._samples.append(_Sample(now, busy, total, _memory(self._text("/proc/meminfo"))))
        while now - self._samples[0].at > _AVERAGED_SECONDS:
            self._samples.popleft()
        known = [sample.memory_percent for sample in self._samples if sample.memory_percent is not None]
        first = self._samples[0]
        ticks = total - first.total

        # The rate is unknown after a restart of the gateway, which counts from zero.
        rate = None
        before, self._moved = self._moved, None if transferred is None else (now, transferred)
        if before is not None and transferred is not None and transferred >= before[1] and now > before[0]:
            rate = 8.0 * (transferred - before[1]) / (now - before[0])
        return MachineLoad(
            cores=len(_CORE.findall(stat)) or None,
            cpu_percent=100.0 * (busy - first.busy) / ticks if ticks > 0 else None,
            memory_percent=sum(known) / len(known) if known else None,
            disk_free_bytes=self.files.free_bytes(paths.CONFIGURATION),
            throughput_bits=rate,
        )

    def _text(self, path: str) -> str:
        return (self.files.read(path) or b"").decode(errors="replace")


def _processor(stat: str) -> tuple[int, int]:
    """Return the ticks of all cores since boot: busy and total."""
    line = stat.partition("\n")[0].split()
    if not line or line[0] != "cpu":
        return 0, 0
    ticks = [whole_number(word, 20) or 0 for word in line[1:]][_COUNTED]
    return sum(ticks) - sum(ticks[_IDLE]), sum(ticks)


def _memory(meminfo: str) -> float | None:
    """Return the percentage of memory that is not available to programs."""
    sizes = {
        line.partition(":")[0]: line.split()[1] for line in meminfo.splitlines() if len(line.split()) > 1
    }
    total, available = (whole_number(sizes.get(name, ""), 20) for name in ("MemTotal", "MemAvailable"))
    if not total or available is None:
        return None
    return 100.0 * (total - available) / total
