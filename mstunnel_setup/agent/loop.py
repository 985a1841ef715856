"""The agent's loop: check in, keep the configuration in step, wait."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from mstunnel_setup.agent import sync
from mstunnel_setup.agent.events import Tell, line, problem
from mstunnel_setup.agent.health import Failure, Status
from mstunnel_setup.agent.settings import read_gateway_options
from mstunnel_setup.agent.tenant import Enrolment
from mstunnel_setup.errors import SetupError, TenantError
from mstunnel_setup.gateway.warning import ConfigurationWarning
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.files import Files
from mstunnel_setup.tenant.wire import TunnelServer

_INTERVAL_SECONDS: Final = 60.0
_LONGEST_WAIT_SECONDS: Final = 300.0
_JITTER: Final = 0.1

Enrol = Callable[[], Enrolment]
Note = Callable[[Status], None]


def wait_seconds(failures: int) -> float:
    """Seconds until the next round after so many failed ones in a row, without jitter."""
    return float(min(_INTERVAL_SECONDS * 2 ** min(failures, 10), _LONGEST_WAIT_SECONDS))


@dataclass
class Agent:
    """Looks after one gateway.

    `enrol` signs in and is asked again after every failure; `note` gets the status whenever it changes.
    """

    enrol: Enrol
    files: Files
    clock: Clock
    tell: Tell
    note: Note
    _enrolment: Enrolment | None = field(default=None, init=False)
    _status: Status = field(init=False)
    _warnings: tuple[ConfigurationWarning, ...] = field(default=(), init=False)
    _failures: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        self._status = Status(started=self.clock.now())

    def run(self) -> None:
        """Work until the process is ended. A tenant that is away is waited for."""
        self._update()
        while True:
            self.round()
            # Many gateways start at once after a power failure; they need not stay in step.
            spread = random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 (jitter)
            self.clock.sleep(wait_seconds(self._failures) * spread)

    def round(self) -> SetupError | None:
        """Check in once and bring the files into step. Returns what went wrong; the old files then stay."""
        try:
            self._synchronise(self._check_in())
        except SetupError as error:
            self._failed(error)
            return error
        if self._status.last_error is not None:
            self.tell(line("recovered", "everything works again."))
        self._update(last_error=None)
        return None

    def _check_in(self) -> Enrolment:
        """Tell the tenant that this server is alive, by writing its own name into its own record."""
        try:
            enrolment = self._enrolment or self.enrol()
            check_in(enrolment)
        except SetupError:
            self._enrolment = None
            self._failures += 1
            raise
        self._enrolment, self._failures = enrolment, 0
        if self._status.last_check_in is None:
            self.tell(line("checked-in", "the tenant knows this server."))
        self._update(last_check_in=self.clock.now())
        return enrolment

    def _synchronise(self, enrolment: Enrolment) -> None:
        found = enrolment.tenant.configuration_of(enrolment.site_id)
        if found is None:
            raise TenantError(
                "configuration-missing",
                "the site has no server configuration",
                "Assign a server configuration to the site in the admin center.",
            )
        options = read_gateway_options(self.files, enrolment.authentication)
        wish = sync.wanted(found.to_wire(), options)
        self._place(wish)
        self._update(configuration_id=found.id, configuration_digest=wish.digest)

    def _place(self, wish: sync.Wanted) -> None:
        """Write what differs and say so; warnings are repeated only when they change."""
        present = sync.current(self.files)
        changes = sync.decide(present, wish)
        sync.write(self.files, changes)
        if changes:
            self.tell(line("configuration-written", ", ".join(change.path for change in changes)))
        if moved := sync.port_changed(present, wish):
            self.tell(problem(moved))
        for warning in wish.warnings:
            if warning not in self._warnings:
                self.tell(problem(warning))
        self._warnings = wish.warnings

    def _failed(self, error: SetupError) -> None:
        """Remember the error; it is logged once, not once a minute."""
        before = self._status.last_error
        if before is None or (before.code, before.message) != (error.code, error.message):
            self.tell(problem(error))
        failure = Failure(code=error.code, message=error.message, hint=error.hint, at=self.clock.now())
        self._update(last_error=failure)

    def _update(self, **changes: datetime | Failure | str | None) -> None:
        self._status = self._status.model_copy(update=changes)
        self.note(self._status)


def check_in(enrolment: Enrolment) -> None:
    """Write this server's own name into its record; what an administrator changed there stays.

    Raises TenantError `server-unknown` when the record is gone, and whatever Graph raises.
    """
    found = enrolment.tenant.server(enrolment.site_id, enrolment.server_id)
    if found is None:
        raise TenantError(
            "server-unknown",
            "the site has no record of this server any more",
            "Run mstunnel-setup on the host to register it again, or `mst-cli uninstall` to remove it there.",
        )
    changes = TunnelServer(display_name=found.display_name)
    enrolment.tenant.update_server(enrolment.site_id, enrolment.server_id, changes)
