"""The agent's loop: check in, update the configuration, check this server's health, wait."""

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from random import SystemRandom
from typing import Final

from mstunnel_setup.agent import upgrade
from mstunnel_setup.agent.health_watch import HealthWatch, ask_registry
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.agent.tenant import Enrolment, Renewal, enrol
from mstunnel_setup.answers.address import web_address_problem
from mstunnel_setup.base.errors import CONFIGURATION_MISSING, SetupError, TenantError, declared
from mstunnel_setup.base.log_line import LogLine, Priority, Tell, as_json, error_line
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import log_lines
from mstunnel_setup.exchange.agent_settings import read_proxies, shown_proxies, wants_json, wants_requests
from mstunnel_setup.exchange.health_observation import SyncState
from mstunnel_setup.exchange.health_report import AgentStatus, SyncFailure, write_status
from mstunnel_setup.exchange.mailbox import AgentRequest, Reply, reply_to, send
from mstunnel_setup.exchange.upgrade_decision import UpgradeDecision, standing
from mstunnel_setup.exchange.upgrade_standing import write_standing
from mstunnel_setup.gateway import rendering
from mstunnel_setup.gateway.configuration import Document, ServerConfiguration
from mstunnel_setup.io.changes import Changes
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http_port import log_requests
from mstunnel_setup.tenant.wire import (
    TunnelServer,
    TunnelSite,
)

_INTERVAL_SECONDS: Final = 60.0
# With jitter this is still less than the five minutes within which a change must arrive.
_LONGEST_WAIT_SECONDS: Final = 240.0
_JITTER: Final = 0.1
_THRESHOLDS_SECONDS: Final = 300.0

# The monitor looks every eight seconds; the gateway tests a configuration, and may restart ocserv, within a
# few.
_REPLY_SECONDS: Final = 30.0
# The monitor's other work takes less, except an upgrade, which prevents any other change.
_SILENT_SECONDS: Final = 300.0
_SILENT: Final = text(
    "the host's monitor has not picked it up: `mst-cli status` on the host shows how to start it; without "
    "systemd, have the init system run mstunnel_monitor"
)


def wait_seconds(failures: int) -> float:
    """Return the seconds until the next round after `failures` in a row, without jitter."""
    return float(min(_INTERVAL_SECONDS * 2 ** min(failures, 10), _LONGEST_WAIT_SECONDS))


@dataclass
class Agent:
    """Manages one gateway.

    `enrol` signs in, again after every failure; `note` gets every change of the status; `watch` and `renewal`
    are None if the agent does only one round.
    """

    enrol: Callable[[], Enrolment]
    files: Files
    clock: Clock
    tell: Tell
    note: Callable[[AgentStatus], None] = lambda _status: None
    counters: Counters = field(default_factory=Counters)
    watch: HealthWatch | None = None
    renewal: Renewal | None = None
    _enrolment: Enrolment | None = field(default=None, init=False)
    _proxies: Mapping[str, str] | None = field(default=None, init=False)
    _started: datetime = field(init=False)
    _last_round: datetime | None = field(default=None, init=False)
    _known: SyncState = field(default_factory=SyncState, init=False)
    _failures: int = field(default=0, init=False)
    _thresholds_at: float | None = field(default=None, init=False)
    _verdict: UpgradeDecision | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self._started = self.clock.now()
        self.configuration = ConfigurationRequests(self.files, self.clock, self.tell, self.counters)

    def run(self) -> None:
        """Run until the process is ended; retry while the tenant is unreachable."""
        self._note()
        while True:
            self.round()
            # Many gateways start at once after a power failure; jitter spreads their requests.
            seconds = wait_seconds(self._failures) * SystemRandom().uniform(1 - _JITTER, 1 + _JITTER)
            # The health of this server is checked every minute, with or without a tenant.
            while seconds > 0:
                # The container counts as healthy while this loop runs, even without a tenant.
                self._last_round = self.clock.now()
                self._note()
                if self.watch is not None:
                    self.watch.look(self._known)
                nap = min(seconds, _INTERVAL_SECONDS * (1 + _JITTER))
                if self.watch is None:
                    self.clock.sleep(nap)
                seconds -= nap if self.watch is None else self.watch.rest(nap)
                # A new proxy may make an unreachable tenant reachable.
                if self._has_other_proxies():
                    break

    def round(self) -> SetupError | None:
        """Check in once and request the tenant's configuration. Return the error, if any.

        An error never changes the configuration in use. Unexpected errors are caught too: the tenant may
        respond differently in the next round.
        """
        try:
            enrolment = self._check_in()
            site = enrolment.tenant.site(enrolment.site_id) or TunnelSite()
            self._learn_site(site)
            self._learn_thresholds(enrolment)
            self._ask_for_upgrade(enrolment, site)
            self._configure(site)
        except Exception as error:  # noqa: BLE001 (the agent is what keeps this server in step)
            # The error gets no further name: its traceback references this frame, so both would stay in
            # memory for a while.
            self._failed(declared(error))
            # Renewal does not depend on the site: nothing works any more once the credential has expired.
            self._renew()
            return declared(error)
        if self._renew():
            if self._known.last_error is not None:
                self.tell(log_lines.RECOVERED())
            self._known = replace(self._known, last_error=None)
            self._note()
        return None

    def _renew(self) -> bool:
        """Renew the agent's credential in time; the next round signs in with the new one.

        False if that failed; the error is then the last one.
        """
        try:
            if self.renewal and self._enrolment and self.renewal.renew_in_time(self._enrolment):
                self._leave()
        except Exception as error:  # noqa: BLE001 (tried again in the next round)
            self._failed(declared(error))
            return False
        return True

    def _has_other_proxies(self) -> bool:
        """Return whether `env.sh` names other proxies than at the last sign-in."""
        # The sign-in reports errors in the file.
        with suppress(SetupError):
            return read_proxies(self.files) != self._proxies
        return False

    def _check_in(self) -> Enrolment:
        """Report that this server is alive, by writing its own name into its record in the tenant.

        Changes by an administrator are kept. Raises TenantError `server-unknown` without a record.
        """
        try:
            if self._has_other_proxies():
                self._leave()
                self._proxies = read_proxies(self.files)
            enrolment = self._enrolment or self.enrol()
            # It is stored before its first use, so that `_leave` closes its connections after a failure.
            self._enrolment = enrolment
            record = enrolment.tenant.server(enrolment.site_id, enrolment.server_id)
            if record is None:
                raise TenantError(
                    "server-unknown",
                    "the site no longer has a record of this server",
                    hint="Register it again with `mst-cli reenroll` on the host, or remove it there: "
                    "`mst-cli uninstall`.",
                )
            changes = TunnelServer(display_name=record.display_name)
            enrolment.tenant.update_server(enrolment.site_id, enrolment.server_id, changes)
        except SetupError:
            self._leave()
            self._failures += 1
            self.counters.failed_check_ins += 1
            raise
        self._failures = 0
        self.counters.check_ins += 1
        if self._known.last_check_in is None:
            self.tell(log_lines.CHECKED_IN())
        self._known = replace(
            self._known, last_check_in=self.clock.now(), agent_certificate_end=enrolment.credential_end
        )
        self._note()
        return enrolment

    def _leave(self) -> None:
        if self._enrolment is not None:
            self._enrolment.close()
        self._enrolment = None

    def _configure(self, site: TunnelSite) -> None:
        found = site.microsoft_tunnel_configuration
        if found is None:
            raise CONFIGURATION_MISSING()
        try:
            self.configuration.request(found.to_wire(), self._known.probe_url or "")
        except SetupError as error:
            self._known = replace(self._known, refusal=error.message)
            raise
        self._known = replace(self._known, refusal=self.configuration.refusal, configuration_id=found.id)

    def _ask_for_upgrade(self, enrolment: Enrolment, site: TunnelSite) -> None:
        """Request an upgrade when it is time; otherwise record the reason, and log it if it is new."""
        now = self.clock.now()
        try:
            verdict = upgrade.ask(
                enrolment.tenant, site, enrolment.server_id, self.files, now=now, tell=self.tell
            )
        except SetupError as error:
            # Devices still get their configuration.
            verdict = UpgradeDecision("undecided", error.message)
        window = upgrade.window(site, self.files)
        found = standing(verdict, now, window)
        if found.waits and verdict != self._verdict:
            self.tell(log_lines.UPGRADE_WAITS(reason=found.reason, decision=found.code))
        self._verdict = verdict
        # The health check reports a full disk, which must not stop the rest.
        with suppress(FileError):
            write_standing(self.files, found)

    def _learn_site(self, site: TunnelSite) -> None:
        # White space is not part of an address.
        address = "".join((site.internal_network_probe_url or "").split())
        why = web_address_problem(address) if address else ""
        if why and why != self._known.probe_problem:
            # The message omits the address, which may contain a password.
            self.tell(log_lines.PROBE_URL_INVALID(reason=why))
        self._known = replace(
            self._known,
            probe_url=None if why else address or None,
            probe_problem=why,
            releases_behind=upgrade.behind(site, self.files),
        )

    def _learn_thresholds(self, enrolment: Enrolment) -> None:
        """Read the tenant's limits from time to time; on failure keep the previous ones."""
        now = self.clock.monotonic()
        if self._thresholds_at is not None and now - self._thresholds_at < _THRESHOLDS_SECONDS:
            return
        self._thresholds_at = now
        try:
            self._known = replace(self._known, thresholds=tuple(enrolment.tenant.thresholds()))
        except SetupError as error:
            self.tell(log_lines.THRESHOLDS_NOT_LEARNT(reason=error.message))

    def _failed(self, error: SetupError) -> None:
        """Store the error, and log it once, not every minute."""
        before = self._known.last_error
        failure = SyncFailure(code=error.code, message=error.message, hint=error.hint, at=self.clock.now())
        if before is None or (before.code, before.message) != (failure.code, failure.message):
            self.tell(error_line(error.problem))
        self._known = replace(self._known, last_error=failure)
        self._note()

    def _note(self) -> None:
        status = AgentStatus(
            started=self._started,
            last_round=self._last_round,
            last_check_in=self._known.last_check_in,
            last_error=self._known.last_error,
            proxies=None if self._proxies is None else shown_proxies(self._proxies),
        )
        # A status that cannot be written becomes too old, which the container's health check detects.
        with suppress(FileError):
            self.note(status)


@dataclass
class ConfigurationRequests:
    """Requests that the host serve the site's configuration, and follows the replies.

    The agent writes data, once for each change; the monitor of the host validates, renders and serves it.
    `refusal` is why the configuration is not in use, None if it is.
    """

    files: Files
    clock: Clock
    tell: Tell
    counters: Counters
    refusal: str | None = field(default=None, init=False)
    _warnings: tuple[Problem, ...] = field(default=(), init=False)
    _reply: Reply | None = field(default=None, init=False)
    _silent_since: float | None = field(default=None, init=False)

    def request(self, document: Document, probe_url: str) -> None:
        """Request the configuration if it has changed, and follow the reply.

        Raises FileError, and TenantError `configuration-invalid` for one that cannot be served.
        """
        configuration = ServerConfiguration.from_wire(document)
        request = AgentRequest.to_configure(document, probe_url)
        changed = send(self.files, request)
        if changed:
            self.tell(log_lines.CONFIGURATION_HANDED_OVER())
        reply = self.await_reply(request, _REPLY_SECONDS if changed else 0)
        if reply is None:
            now = self.clock.monotonic()
            if self._silent_since is None:
                self._silent_since = now
            self.refusal = _SILENT if now - self._silent_since >= _SILENT_SECONDS else None
        else:
            self._silent_since = None
            self._follow(reply)

        # Warnings, such as a port that is not served yet, are logged once, not every minute.
        port = rendering.open_port(rendering.current(self.files))
        waiting = rendering.port_waiting(configuration.listen_port, port)
        warnings = (*configuration.warnings, *((waiting,) if waiting else ()))
        for warning in warnings:
            if warning not in self._warnings:
                self.tell(error_line(warning, Priority.WARNING))
        self._warnings = warnings
        if waiting and self.refusal is None:
            self.refusal = waiting.message

    def await_reply(self, request: AgentRequest, patience: float) -> Reply | None:
        """Return the host's reply; wait up to `patience` seconds until it is there and final."""
        end = self.clock.monotonic() + patience
        while True:
            reply = reply_to(self.files, request)
            if (reply and reply.state != "applying") or self.clock.monotonic() >= end:
                return reply
            self.clock.sleep(0.5)

    def _follow(self, reply: Reply) -> None:
        """Set `refusal`; log and count a new reply."""
        self.refusal = reply.reason if reply.state in ("refused", "waiting") else None
        if reply == self._reply:
            return
        self._reply = reply
        if reply.state == "accepted":
            self.counters.configurations_applied += 1
            self.tell(log_lines.CONFIGURATION_APPLIED())
        elif reply.state == "refused":
            self.counters.configurations_refused += 1
            self.tell(log_lines.CONFIGURATION_REFUSED(reason=reply.reason, advice=reply.hint or ""))
        elif reply.state == "waiting":
            self.tell(log_lines.CONFIGURATION_WAITS(reason=reply.reason))


def build_agent(root: Path, *, watching: bool) -> Agent:
    """Create the agent for the host below `root`; `watching` keeps it running and writing its status.

    Otherwise it only checks in and requests the configuration, and leaves the status of a running agent
    unchanged.
    """
    files, clock, counters = Files(root), Clock(), Counters()
    tell = log_of(files)
    agent = Agent(partial(enrol, files, clock), files, clock, tell, counters=counters)
    if watching:
        agent.note = partial(write_status, files)
        agent.watch = HealthWatch(files, clock, tell, counters, partial(ask_registry, clock), Changes(files))
        agent.renewal = Renewal(files, clock, tell, counters)
    return agent


def requests_in_log(root: Path) -> AbstractContextManager[None]:
    """Log each request to the tenant inside the block, whenever `env.sh` enables that."""
    files = Files(root)
    tell = log_of(files)
    return log_requests(lambda text: tell(log_lines.REQUEST(request=text)), partial(wants_requests, files))


def log_of(files: Files) -> Tell:
    """Return the log writer: lines on standard output, as JSON whenever `env.sh` enables that."""
    clock = Clock()

    def tell(line: LogLine) -> None:
        sys.stdout.write(f"{as_json(line, clock.now()) if wants_json(files) else line}\n")
        sys.stdout.flush()

    return tell
