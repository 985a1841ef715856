"""The agent's loop: check in, keep the configuration in step, look at this server, wait."""

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Final

from mstunnel_setup.agent import upgrade
from mstunnel_setup.agent.configuration import ConfigurationRequests
from mstunnel_setup.agent.health_rows import SyncState
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.agent.tenant import Enrolment, Renewal, enrol
from mstunnel_setup.agent.watch import HealthWatch, asking
from mstunnel_setup.answers.address import web_address_problem
from mstunnel_setup.base.errors import CONFIGURATION_MISSING, SetupError, TenantError, declared
from mstunnel_setup.base.log_line import LogLine, Tell, as_json, error_line
from mstunnel_setup.exchange.agent_settings import wants_json, wants_requests
from mstunnel_setup.exchange.health_report import HealthState
from mstunnel_setup.exchange.log_lines import (
    CHECKED_IN,
    PROBE_URL_INVALID,
    RECOVERED,
    REQUEST,
    THRESHOLDS_NOT_LEARNT,
    UPGRADE_WAITS,
)
from mstunnel_setup.exchange.releases import running_images
from mstunnel_setup.exchange.status_file import AgentStatus, SyncFailure, write_status
from mstunnel_setup.exchange.upgrade_decision import (
    HIDDEN_BY_GRAPH,
    UpgradeDecision,
    standing,
    write_standing,
)
from mstunnel_setup.io.clock import Clock, SystemClock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.request_log import log_requests
from mstunnel_setup.tenant.wire import (
    HealthStatus,
    HealthThreshold,
    LabCheck,
    LabHealth,
    TunnelServer,
    TunnelSite,
)

_INTERVAL_SECONDS: Final = 60.0
# With jitter still less than the five minutes after which a change must have arrived.
_LONGEST_WAIT_SECONDS: Final = 240.0
_JITTER: Final = 0.1
# The lab takes whole numbers, and a latency of whole seconds would say nothing.
_LAB_SCALES: Final = {"latency": 1000}
_LAB_TEXT: Final = 300
_THRESHOLDS_SECONDS: Final = 300.0

Enrol = Callable[[], Enrolment]
Note = Callable[[AgentStatus], None]


def wait_seconds(failures: int) -> float:
    """Seconds until the next round after so many failed ones in a row, without jitter."""
    return float(min(_INTERVAL_SECONDS * 2 ** min(failures, 10), _LONGEST_WAIT_SECONDS))


@dataclass
class Agent:
    """Looks after one gateway.

    `enrol` signs in and is asked again after every failure; `note` gets the status whenever it changes;
    `watch` and `renewal` are left out where the agent does only one round.
    """

    enrol: Enrol
    files: Files
    clock: Clock
    tell: Tell
    note: Note
    counters: Counters = field(default_factory=Counters)
    watch: HealthWatch | None = None
    renewal: Renewal | None = None
    _enrolment: Enrolment | None = field(default=None, init=False)
    _status: AgentStatus = field(init=False)
    _known: SyncState = field(default_factory=SyncState, init=False)
    _failures: int = field(default=0, init=False)
    _thresholds_at: float | None = field(default=None, init=False)
    _verdict: UpgradeDecision | None = field(default=None, init=False)
    _extensions: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._status = AgentStatus(started=self.clock.now())
        self.configuration = ConfigurationRequests(self.files, self.clock, self.tell, self.counters)

    def run(self) -> None:
        """Work until the process is ended. A tenant that is away is waited for."""
        self._update()
        while True:
            self.round()
            # Many gateways start at once after a power failure; they need not stay in step.
            self._wait(wait_seconds(self._failures) * SystemRandom().uniform(1 - _JITTER, 1 + _JITTER))

    def _wait(self, seconds: float) -> None:
        """Wait, and look at this server every minute meanwhile, whether there is a tenant or not."""
        while True:
            self._look()
            nap = min(seconds, _INTERVAL_SECONDS * (1 + _JITTER))
            self.clock.sleep(nap)
            seconds -= nap
            if seconds <= 0:
                return

    def _look(self) -> None:
        # The container counts as healthy while this goes on, whatever becomes of the tenant.
        self._update(last_round=self.clock.now())
        if self.watch is not None:
            self.watch.look(self._known)

    def round(self) -> SetupError | None:
        """Check in once and hand over what the tenant wants. Returns what went wrong; what is served stays.

        Also what was not foreseen: the next round may find another answer of the tenant.
        """
        try:
            self._synchronise(self._check_in())
        except Exception as error:  # noqa: BLE001 (the agent is what keeps this server in step)
            # No name for it: its traceback leads to this frame, so both would stay in memory for a while.
            self._failed(declared(error))
            # Whatever is wrong with the site: nothing works any more once the credential has ended.
            self._renew()
            return declared(error)
        if self._renew():
            if self._status.last_error is not None:
                self.tell(RECOVERED())
            self._update(last_error=None)
            self._learn(last_error=None)
        return None

    def _renew(self) -> bool:
        """Renew the agent's credential when it is time; the next round signs in with the new one.

        False when that failed, and the error is the last one.
        """
        try:
            if self.renewal and self._enrolment and self.renewal.renew_in_time(self._enrolment):
                self._leave()
        except Exception as error:  # noqa: BLE001 (tried again in the next round)
            self._failed(declared(error))
            return False
        return True

    def _check_in(self) -> Enrolment:
        """Tell the tenant that this server is alive, by writing its own name into its own record."""
        try:
            enrolment = self._enrolment or self.enrol()
            # Kept at once, so that a failure finds something to close.
            self._enrolment = enrolment
            self._extensions = check_in(enrolment, self._lab_health())
        except SetupError:
            self._leave()
            self._failures += 1
            self.counters.failed_check_ins += 1
            raise
        self._failures = 0
        self.counters.check_ins += 1
        if self._status.last_check_in is None:
            self.tell(CHECKED_IN())
        now = self.clock.now()
        self._update(last_check_in=now)
        self._learn(last_check_in=now, agent_certificate_end=enrolment.credential_end)
        return enrolment

    def _leave(self) -> None:
        if self._enrolment is not None:
            self._enrolment.close()
        self._enrolment = None

    def _synchronise(self, enrolment: Enrolment) -> None:
        site = enrolment.tenant.site(enrolment.site_id) or TunnelSite()
        self._learn_site(site)
        self._learn_thresholds(enrolment)
        self._ask_for_upgrade(enrolment, site)
        self._configure(site)

    def _configure(self, site: TunnelSite) -> None:
        found = site.microsoft_tunnel_configuration
        if found is None:
            raise CONFIGURATION_MISSING()
        try:
            digest = self.configuration.request(found.to_wire(), self._known.probe_url or "")
        except SetupError as error:
            self._learn(refusal=error.message)
            raise
        self._learn(refusal=self.configuration.refusal, configuration_id=found.id)
        self._update(configuration_id=found.id, configuration_digest=digest)

    def _ask_for_upgrade(self, enrolment: Enrolment, site: TunnelSite) -> None:
        """Ask for an upgrade when it is time; why it is not is written down, and said when it is new."""
        now = self.clock.now()
        try:
            verdict = upgrade.ask(
                enrolment.tenant,
                site,
                enrolment.server_id,
                self.files,
                now=now,
                tell=self.tell,
                approval_shown=self._extensions,
            )
        except SetupError as error:
            # Devices get their configuration all the same.
            verdict = UpgradeDecision(begin=False, code="undecided", reason=error.message)
        window = upgrade.window(site, self.files)
        found = standing(verdict, now, window, () if self._extensions else HIDDEN_BY_GRAPH)
        if found.waits and verdict != self._verdict:
            self.tell(UPGRADE_WAITS(reason=found.reason, decision=found.code))
        self._verdict = verdict
        # That the disk is full is said by the look at this server, and must not stop the rest.
        with suppress(FileError):
            write_standing(self.files, found)

    def _learn_site(self, site: TunnelSite) -> None:
        # Whitespace is no part of an address.
        address = "".join((site.internal_network_probe_url or "").split())
        why = web_address_problem(address) if address else ""
        if why and why != self._known.probe_problem:
            # Not the address: it may hold a password.
            self.tell(PROBE_URL_INVALID(reason=why))
        self._learn(
            probe_url=None if why else address or None,
            probe_problem=why,
            releases_behind=upgrade.behind(site, self.files),
        )

    def _learn_thresholds(self, enrolment: Enrolment) -> None:
        """The tenant's limits, now and then; a tenant that does not give them leaves the ones known."""
        now = self.clock.monotonic()
        if self._thresholds_at is not None and now - self._thresholds_at < _THRESHOLDS_SECONDS:
            return
        self._thresholds_at = now
        try:
            self._learn(thresholds=tuple(enrolment.tenant.thresholds()))
        except SetupError as error:
            self.tell(THRESHOLDS_NOT_LEARNT(reason=error.message))

    def _lab_health(self) -> LabHealth | None:
        """What only a lab tenant accepts; Graph has no property for it."""
        if self.watch is None or self.watch.state is HealthState.UNKNOWN:
            return None
        rows = self.watch.rows
        figures = {
            row.id: round(row.value * _LAB_SCALES.get(row.id, 1)) for row in rows if row.value is not None
        }
        checks = tuple(
            LabCheck(id=row.id, status=HealthStatus(row.state.value), text=row.text[:_LAB_TEXT])
            for row in rows
        )
        images = running_images(self.files)
        return LabHealth(
            status=upgrade.reported(self.files) or HealthStatus(self.watch.state.value),
            server_image_digest=images.server if images else None,
            agent_image_digest=images.agent if images else None,
            metrics=figures,
            checks=checks,
        )

    def _failed(self, error: SetupError) -> None:
        """Remember the error; it is logged once, not once a minute."""
        before = self._status.last_error
        failure = SyncFailure(code=error.code, message=error.message, hint=error.hint, at=self.clock.now())
        if before is None or (before.code, before.message) != (failure.code, failure.message):
            self.tell(error_line(error.problem))
        self._update(last_error=failure)
        self._learn(last_error=failure)

    def _update(self, **changes: datetime | SyncFailure | str | None) -> None:
        self._status = self._status.model_copy(update=changes)
        # A status that cannot be written grows old, which is what the container's health check looks at.
        with suppress(FileError):
            self.note(self._status)

    def _learn(
        self, **changes: datetime | str | int | tuple[HealthThreshold, ...] | SyncFailure | None
    ) -> None:
        self._known = replace(self._known, **changes)  # type: ignore[arg-type]  # the names are its own


def check_in(enrolment: Enrolment, health: LabHealth | None = None) -> bool:
    """Write this server's own name into its record; what an administrator changed there stays.

    Returns whether the tenant has the extensions of a lab, which its record of a server shows; only such a
    tenant gets the health.

    Raises TenantError `server-unknown` when the record is gone, and whatever Graph raises.
    """
    found = enrolment.tenant.server(enrolment.site_id, enrolment.server_id)
    if found is None:
        raise TenantError(
            "server-unknown",
            "the site has no record of this server any more",
            hint=(
                "Register it again with `mst-cli reenroll` on the host, or remove it there: `mst-cli "
                "uninstall`."
            ),
        )
    extended = "lab_health" in found.model_fields_set
    changes = TunnelServer(display_name=found.display_name)
    if extended and health is not None:
        changes = TunnelServer(display_name=found.display_name, lab_health=health)
    enrolment.tenant.update_server(enrolment.site_id, enrolment.server_id, changes)
    return extended


def assembled(root: Path, *, watching: bool) -> Agent:
    """An agent of the host below `root`, `watching` to stay there and show its status.

    One that is not only checks in and brings into step; the status of a running agent stays as it is.
    """
    files, clock, counters = Files(root), SystemClock(), Counters()
    tell = log_of(files)
    watch = HealthWatch(files, clock, tell, counters, asking(clock)) if watching else None
    note: Note = partial(write_status, files) if watching else lambda _status: None
    renewal = Renewal(files, clock, tell, counters) if watching else None
    return Agent(lambda: enrol(files, clock), files, clock, tell, note, counters, watch, renewal)


def requests_in_log(root: Path) -> AbstractContextManager[None]:
    """Meanwhile each request to the tenant is a log line, whenever `env.sh` wants that."""
    files = Files(root)
    tell = log_of(files)
    return log_requests(lambda text: tell(REQUEST(request=text)), partial(wants_requests, files))


def log_of(files: Files) -> Tell:
    """What writes the log: lines on standard output, as JSON for as long as `env.sh` wants that."""
    clock = SystemClock()

    def tell(line: LogLine) -> None:
        sys.stdout.write(f"{as_json(line, clock.now()) if wants_json(files) else line}\n")
        sys.stdout.flush()

    return tell
