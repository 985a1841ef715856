"""The loop of the monitor: it runs what is due, and rests while all is well."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from mstunnel_setup import __version__
from mstunnel_setup.actions import containers
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import LockedError, SetupError
from mstunnel_setup.base.log_line import Tell
from mstunnel_setup.exchange import log_lines
from mstunnel_setup.io.changes import Changes
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.systemd import ServiceManager
from mstunnel_setup.operations.monitor.agent_reports import AgentReports
from mstunnel_setup.operations.monitor.configuration import Configurations
from mstunnel_setup.operations.monitor.container_restarts import CONTAINERS, ContainerRestarts
from mstunnel_setup.operations.monitor.host_changes import import_overdue, move_port, update_addresses
from mstunnel_setup.operations.monitor.kernel_modules import KernelModules
from mstunnel_setup.operations.monitor.limits import LimitedLog
from mstunnel_setup.operations.monitor.monitor_context import MonitorContext
from mstunnel_setup.operations.monitor.own_program import OwnProgram
from mstunnel_setup.operations.monitor.restart_decision import silent
from mstunnel_setup.operations.monitor.task import Task
from mstunnel_setup.operations.monitor.upgrades import AgentUpgrades

# What asks for a look: the agent's messages, and the settings of this host.
_WATCHED: Final = (paths.CONFIGURATION, paths.INBOX)
# However often the agent leaves something here. Also while something is not well, or about to change.
_SHORTEST_PAUSE: Final = 8.0
# While all is well it only reads files, and asks Podman, whose service has to start for that, now and then.
_PAUSE_AT_REST: Final = 120.0
_PAUSES_AT_REST: Final = 7
# Much longer than its longest pause is a hang, for which systemd starts it again.
_HANG_SECONDS: Final = 180.0
# How long one task may take before the service manager ends the monitor: the engine or a disk hangs.
_WORK_SECONDS: Final = 1800.0
# A file is complete a moment after it appears, and a process is gone a moment before its container is.
_SETTLE_SECONDS: Final = 0.5
# Cron imports to the minute, too. A look at the tunnel costs as much as a health check.
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


@dataclass
class GatewayMonitor:
    """Looks after the gateway of this server."""

    operator: Operator
    tell: Tell
    service: ServiceManager = field(default_factory=ServiceManager)
    program: OwnProgram = field(default_factory=OwnProgram)

    def __post_init__(self) -> None:
        """Make the tasks, in the order of a round."""
        self.context = MonitorContext(self.operator, self.tell, self.service)
        files, clock = self.operator.files, self.operator.clock
        self.upgrades = upgrades = AgentUpgrades(self.context)
        self._configurations = configurations = Configurations(
            files, clock, self._nudge, LimitedLog(self.tell, clock).tell
        )
        reports = AgentReports(files, LimitedLog(self.tell, clock).tell)
        modules = KernelModules(self.context)
        self._restarts = restarts = ContainerRestarts(self.context, reports)
        task = partial(Task, self.context)
        self.tasks: Sequence[Task] = [
            # A feed that is away is tried again in an hour, however often the monitor looks.
            task(upgrades.refresh_feed, _HOUR, when=upgrades.has_feed, may_fail=True),
            # The window of this host may open while the monitor rests.
            task(upgrades.show_offer, at_rest=True),
            # The agent looks once a minute; one that asks more often gets no more of the lock and the log.
            task(upgrades.take_request, _MINUTE, when=upgrades.has_request),
            task(upgrades.carry_out),
            task(configurations.look),
            task(configurations.keep_level, at_rest=True),
            task(partial(import_overdue, self.context), _MINUTE),
            task(partial(move_port, self.context)),
            task(modules.load_lost),
            task(modules.restart_without_device, _MINUTE),
            task(reports.look, at_rest=True),
            task(restarts.look),
            task(partial(update_addresses, self.context), _MINUTE, at_rest=True),
        ]

    def run(self, changes: Changes) -> None:
        """Look when something has changed, and every quarter of an hour; more often while all is not well.

        Returns between two rounds, without work that is pending, once the program was replaced.
        """
        while True:
            # Also for the start of the new program, which may have to unpack itself.
            self.service.alive(_WORK_SECONDS)
            if self.upgrades.requested is None and self.program.replaced(self.operator.clock):
                break
            changes.watch(_WATCHED)
            at_rest = self.round()
            self.service.alive(_HANG_SECONDS)
            processes = self._processes() if at_rest else ()
            if processes:
                # Before the pause: Podman's service takes memory as long as it is in use.
                self.close()
            self.operator.clock.sleep(_SHORTEST_PAUSE)
            if processes:
                self._rest(changes, processes)
        self.tell(log_lines.PROGRAM_REPLACED(version=__version__))

    def _rest(self, changes: Changes, processes: Sequence[int]) -> None:
        """Wait until there is something to do, and do now and then what needs files only."""
        for _ in range(_PAUSES_AT_REST):
            if changes.wait(_PAUSE_AT_REST, processes):
                self.operator.clock.sleep(_SETTLE_SECONDS)
                return
            self.service.alive(_HANG_SECONDS)
            self._run(task for task in self.tasks if task.at_rest)
            unheard = silent(self.operator.files, self.operator.clock.now())
            if self._failing or unheard or self.program.is_another():
                return

    def round(self) -> bool:
        """Run what is due; return whether all is well now, and nothing is about to change.

        While another run is in progress on this host, the rest waits for the next round.
        """
        return (
            self._run(self.tasks)
            and not self._failing
            and self._restarts.all_healthy
            and self._configurations.settled
        )

    def _run(self, tasks: Iterable[Task]) -> bool:
        """Run tasks one after the other; return False when another run on this host stopped that."""
        for task in tasks:
            self.service.alive(_WORK_SECONDS)
            try:
                task.run()
            except LockedError:
                self.service.status("Waiting: another run is in progress on this host")
                return False
        return True

    @property
    def _failing(self) -> bool:
        return any(task.complaint for task in self.tasks if not task.may_fail)

    def _processes(self) -> tuple[int, ...]:
        """Return those of the containers; none unless both run."""
        with suppress(SetupError):
            states = [self.context.host.engine.inspect(name) for name in CONTAINERS]
            found = tuple(state.process_id for state in states if state and state.process_id)
            return found if len(found) == len(CONTAINERS) else ()
        return ()

    def close(self) -> None:
        """Close the connection to the engine; the next round opens it again."""
        self.context.close()

    def _nudge(self) -> None:
        """Have the gateway apply its files now, if that works."""
        with suppress(SetupError):
            containers.reload_gateway(self.context.host)
