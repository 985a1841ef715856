"""Looks at everything once a minute, judges it, and writes report and metrics."""

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime

from mstunnel_setup.agent.certificates import CertificateWatch
from mstunnel_setup.agent.health_rows import Observation, Row, judge_rows, overall
from mstunnel_setup.agent.log_lines import HEALTH_CHANGED
from mstunnel_setup.agent.measure import Measure
from mstunnel_setup.agent.metrics import TEXTFILE, Counters, Round, render
from mstunnel_setup.agent.registry import Ask, RegistryWatch
from mstunnel_setup.base.errors import SetupError, StepError, declared
from mstunnel_setup.base.log_line import Tell, error_line
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange.gateway_report import REPORT_SHOWN, read_report
from mstunnel_setup.exchange.health_report import HealthReport, ReportedRow, write_health
from mstunnel_setup.exchange.health_state import State
from mstunnel_setup.exchange.status_file import Failure
from mstunnel_setup.exchange.thresholds import Thresholds, read_thresholds, with_tenant
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import proxy_for
from mstunnel_setup.tenant.wire import HealthThreshold


@dataclass(frozen=True)
class Known:
    """What the loop knows of the tenant; None is what it has not learnt since the start.

    `probe_url` has been judged; `probe_problem` is why the site's own is not used, empty when it is.
    `last_error` is what went wrong in the last round, None when nothing did.
    """

    last_check_in: datetime | None = None
    probe_url: str | None = None
    probe_problem: str = ""
    releases_behind: int | None = None
    thresholds: tuple[HealthThreshold, ...] = ()
    configuration_id: str | None = None
    refusal: str | None = None
    agent_certificate_end: datetime | None = None
    last_error: Failure | None = None


@dataclass
class Watch:
    """Observes this server. `state` is its health as of the last look."""

    files: Files
    clock: Clock
    tell: Tell
    counters: Counters
    ask_registry: Ask
    state: State = field(default=State.UNKNOWN, init=False)
    rows: tuple[Row, ...] = field(default=(), init=False)
    _complaint: str = field(default="", init=False)

    def __post_init__(self) -> None:
        """Begin to count from now."""
        self._started = self.clock.now()
        self._measure = Measure(self.files, self.clock)
        self._certificates = CertificateWatch(self.files, self.clock)
        self._registry = RegistryWatch(self.files, self.clock, self.ask_registry)

    def look(self, known: Known) -> None:
        """Observe, judge, write. What fails is said; neither a full disk nor a bug stops the agent."""
        try:
            thresholds = with_tenant(self._thresholds(), known.thresholds)
            observation = self._observe(known)
            self.rows = judge_rows(observation, thresholds)
            self._say_changes(overall(self.rows))
            self._write(observation, thresholds, known.last_error)
        except Exception as error:  # noqa: BLE001 (the agent goes on without a look)
            self._complain(declared(error))

    def _complain(self, error: SetupError) -> None:
        """Say what is wrong when it is new, not every minute."""
        if error.message != self._complaint:
            self.tell(error_line(error.problem))
        self._complaint = error.message

    def _observe(self, known: Known) -> Observation:
        report = read_report(self.files, REPORT_SHOWN)
        served = self._certificates.look()
        host = self._registry.look()
        return Observation(
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
            last_check_in=known.last_check_in,
            agent_certificate_end=known.agent_certificate_end,
            probe_url=known.probe_url,
            probe_problem=known.probe_problem,
            releases_behind=known.releases_behind,
            configuration_id=known.configuration_id,
            refusal=known.refusal,
        )

    def _thresholds(self) -> Thresholds:
        """The limits of this server; a wrong file is said and leaves the defaults."""
        try:
            return read_thresholds(self.files)
        except StepError as error:
            self._complain(error)
            return Thresholds()

    def _say_changes(self, state: State) -> None:
        if state is not self.state:
            worst = "; ".join(
                text("{title}: {words}", title=row.title, words=row.text)
                for row in self.rows
                if row.state is state
            )
            self.tell(
                HEALTH_CHANGED(
                    state=state, why="" if state is State.HEALTHY else text(": {worst}", worst=worst)
                )
            )
        self.state = state

    def _write(self, observation: Observation, thresholds: Thresholds, error: Failure | None) -> None:
        rows = tuple(ReportedRow(**dataclasses.asdict(row)) for row in self.rows)
        report = HealthReport(
            at=observation.now, state=self.state, rows=rows, thresholds=thresholds, last_error=error
        )
        write_health(self.files, report)
        self.files.write(TEXTFILE, render(Round(observation, self.rows, self.counters)).encode())
