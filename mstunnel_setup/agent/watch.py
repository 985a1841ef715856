"""Looks at everything once a minute, judges it, and writes report and metrics."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography import x509

from mstunnel_setup.agent.health_rows import Observation, SyncState, judge_rows, overall
from mstunnel_setup.agent.measure import Measure
from mstunnel_setup.agent.metrics import Counters, Round, render
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CertificateError, NetworkError, SetupError, StepError, declared
from mstunnel_setup.base.log_line import Tell, error_line
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import as_object
from mstunnel_setup.certificates import generations, revocation
from mstunnel_setup.certificates.ca_trust import added_roots_pem
from mstunnel_setup.certificates.certificate import is_issued_by, is_self_signed
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.certificates.revocation import fetching
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.exchange.gateway_report import REPORT_SHOWN, read_report
from mstunnel_setup.exchange.health_report import (
    HealthReport,
    HealthState,
    ReportedRow,
    Thresholds,
    read_thresholds,
    with_tenant,
    write_health,
)
from mstunnel_setup.exchange.log_lines import HEALTH_CHANGED
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import HttpSession, proxy_for

_REVOCATION_SECONDS: Final = 3600.0
_REVOCATION_TIMEOUT: Final = 5.0
_SYSTEM_ROOTS: Final = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True)
class GatewayCertificate:
    """The certificate in use: when it ends, and what was said last about its revocation."""

    end: datetime | None = None
    revocation: RevocationState | None = None
    problem: str = ""


@dataclass
class CertificateWatch:
    """Looks at the certificate in use; asks its authority every hour, and at once about another one."""

    files: Files
    clock: Clock
    _asked: tuple[str, float] | None = field(default=None, init=False)

    def look(self) -> GatewayCertificate:
        """What is in use now. Raises nothing: what cannot be read is unknown."""
        try:
            chain = read_material(self.files.read(f"{paths.ACTIVE}/chain.pem") or b"").certificates
        except CertificateError:
            chain = ()
        if not chain:
            return GatewayCertificate()
        name = generations.linked(self.files) or ""
        self._ask_in_time(name, chain)
        # Of ours: whatever the commands have asked is not the container's to read.
        asked = revocation.last(self.files, name, self.clock.now())
        if asked is None:
            return GatewayCertificate(chain[0].not_valid_after_utc)
        return GatewayCertificate(chain[0].not_valid_after_utc, asked.state, "; ".join(asked.problems))

    def _ask_in_time(self, name: str, chain: Sequence[x509.Certificate]) -> None:
        now = self.clock.monotonic()
        if self._asked is not None and self._asked[0] == name and now - self._asked[1] < _REVOCATION_SECONDS:
            return
        self._asked = (name, now)
        roots = added_roots_pem(self.files)
        http = HttpSession(self.clock, roots=roots, timeout=_REVOCATION_TIMEOUT, deadline=_REVOCATION_TIMEOUT)
        try:
            path = (*chain, *self._root_of(chain[-1]))
            verdicts = revocation.ask(path, fetching(http), self.clock.now())
        finally:
            http.close()
        revocation.keep(self.files, revocation.ASKED_BY_AGENT, name, verdicts, self.clock.now())

    def _root_of(self, last: x509.Certificate) -> tuple[x509.Certificate, ...]:
        """The issuer of the last certificate that is served, if this server knows it."""
        if is_self_signed(last):
            return ()
        added = [f"{paths.CA_TRUST}/{name}" for name in self.files.names(paths.CA_TRUST)]
        for place in (f"{paths.ACTIVE}/root.pem", *added, _SYSTEM_ROOTS):
            for candidate in _certificates(self.files.read(place)):
                if is_issued_by(last, candidate):
                    return (candidate,)
        return ()


def _certificates(content: bytes | None) -> tuple[x509.Certificate, ...]:
    try:
        return read_material(content or b"").certificates
    except CertificateError:
        return ()


_REGISTRY_SECONDS: Final = 300.0
_REGISTRY_TIMEOUT: Final = 10.0

AskRegistry = Callable[[str], None]
"""Get an answer, whichever, from an address. Raises NetworkError."""


@dataclass
class RegistryWatch:
    """Asks the registry every five minutes for an answer of any kind."""

    files: Files
    clock: Clock
    ask: AskRegistry
    problem: str = field(default="not tried yet", init=False)
    last_contact: datetime | None = field(default=None, init=False)
    _tried: float | None = field(default=None, init=False)

    def look(self) -> str | None:
        """The registry's host, None when the images came from none that is known; tried when it is time."""
        host = _host(self.files)
        now = self.clock.monotonic()
        if host is not None and (self._tried is None or now - self._tried >= _REGISTRY_SECONDS):
            self._tried = now
            self._try(host)
        return host

    def _try(self, host: str) -> None:
        try:
            self.ask(f"https://{host}/v2/")
        except NetworkError as error:
            # Whom the engine trusts is set on the host; here any answer counts.
            if error.code != "tls-untrusted":
                self.problem = error.message
                return
        self.problem = ""
        self.last_contact = self.clock.now()


def asking(clock: Clock) -> AskRegistry:
    """How a registry is asked: a separate session, closed at once."""

    def ask(address: str) -> None:
        http = HttpSession(clock, timeout=_REGISTRY_TIMEOUT, deadline=_REGISTRY_TIMEOUT)
        try:
            http.get(address, allow_redirects=False)
        finally:
            http.close()

    return ask


def _host(files: Files) -> str | None:
    content = files.read(paths.IMAGES_CONFIGURED)
    try:
        found = as_object(json_value(content or b"{}"))
    except ValueError:
        return None
    host = str(found.get("serverImageName") or "").partition("/")[0]
    # What podman calls images that were loaded from an archive, or built here.
    return None if host in ("", "localhost") else host


@dataclass
class HealthWatch:
    """Observes this server. `state` is its health as of the last look."""

    files: Files
    clock: Clock
    tell: Tell
    counters: Counters
    ask_registry: AskRegistry
    state: HealthState = field(default=HealthState.UNKNOWN, init=False)
    rows: tuple[ReportedRow, ...] = field(default=(), init=False)
    _complaint: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Begin to count from now."""
        self._started = self.clock.now()
        self._measure = Measure(self.files, self.clock)
        self._certificates = CertificateWatch(self.files, self.clock)
        self._registry = RegistryWatch(self.files, self.clock, self.ask_registry)

    def look(self, known: SyncState) -> None:
        """Observe, judge, write. What fails is said; neither a full disk nor a bug stops the agent."""
        try:
            thresholds = with_tenant(self._thresholds(), known.thresholds)
            observation = self._observe(known)
            self.rows = judge_rows(observation, thresholds)
            self._say_changes(overall(self.rows))
            report = HealthReport(
                at=observation.now,
                state=self.state,
                rows=self.rows,
                thresholds=thresholds,
                last_error=known.last_error,
            )
            write_health(self.files, report)
            metrics = render(Round(observation, self.rows, self.counters))
            self.files.write(paths.AGENT_METRICS, metrics.encode())
        except Exception as error:  # noqa: BLE001 (the agent goes on without a look)
            self._complain(declared(error))

    def _complain(self, error: SetupError) -> None:
        """Say what is wrong when it is new, not every minute."""
        if error.message != self._complaint:
            self.tell(error_line(error.problem))
        self._complaint = error.message

    def _observe(self, known: SyncState) -> Observation:
        report = read_report(self.files, REPORT_SHOWN)
        served = self._certificates.look()
        host = self._registry.look()
        return Observation(
            **vars(known),
            now=self.clock.now(),
            started=self._started,
            machine=self._measure.take(report.transferred if report else None),
            report=report,
            certificate_end=served.end,
            revocation=served.revocation,
            revocation_problem=served.problem,
            proxy=proxy_for(known.probe_url) if known.probe_url else None,
            registry=host,
            last_registry_contact=self._registry.last_contact,
            registry_problem=self._registry.problem,
        )

    def _thresholds(self) -> Thresholds:
        """The limits of this server; a wrong file is said and leaves the defaults."""
        try:
            return read_thresholds(self.files)
        except StepError as error:
            self._complain(error)
            return Thresholds()

    def _say_changes(self, state: HealthState) -> None:
        if state is not self.state:
            worst = "; ".join(
                text("{title}: {words}", title=row.title, words=row.text)
                for row in self.rows
                if row.state is state
            )
            self.tell(
                HEALTH_CHANGED(
                    state=state, why="" if state is HealthState.HEALTHY else text(": {worst}", worst=worst)
                )
            )
        self.state = state
