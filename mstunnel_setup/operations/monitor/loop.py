"""The monitor's loop: it runs due tasks, and pauses longer while the gateway is healthy."""

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

# A change in these directories (settings of this host, messages of the agent) starts a round at once.
_WATCHED: Final = (paths.CONFIGURATION, paths.INBOX)
# Rounds are at least this far apart, however often the agent writes messages; it is also the pause while
# something is unhealthy or about to change.
_SHORTEST_PAUSE: Final = 8.0
# A healthy gateway needs only reads of files; asking Podman starts its service, so that happens rarely.
_PAUSE_AT_REST: Final = 120.0
_PAUSES_AT_REST: Final = 7
# systemd restarts the monitor after this time without a sign of life, which far exceeds the longest pause.
_HANG_SECONDS: Final = 180.0
# systemd ends the monitor if one task takes longer than this: then the engine or a disk hangs.
_WORK_SECONDS: Final = 1800.0
# A new file is complete shortly after it appears, and a container ends shortly after its process.
_SETTLE_SECONDS: Final = 0.5
# Cron, too, imports certificates to the minute. Testing the tunnel device costs as much as a health check.
_MINUTE: Final = 60.0
_HOUR: Final = 3600.0


@dataclass
class GatewayMonitor:
    """The monitor of this server's gateway."""

    operator: Operator
    tell: Tell
    service: ServiceManager = field(default_factory=ServiceManager)
    program: OwnProgram = field(default_factory=OwnProgram)

    def __post_init__(self) -> None:
        """Create the tasks in the order of a round."""
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
            # An unreachable feed is retried after an hour, however often rounds run.
            task(upgrades.refresh_feed, _HOUR, when=upgrades.has_feed, may_fail=True),
            # The maintenance window of this host may open while the monitor is idle.
            task(upgrades.show_offer, at_rest=True),
            # The agent checks once a minute; one that asks more often must not occupy the lock and the log.
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
        """Run rounds after each change and every quarter of an hour, more often while something is unhealthy.

        Returns between two rounds, with no work pending, after the program was replaced.
        """
        while True:
            # The long limit also covers the start of a replaced program, which may have to unpack itself.
            self.service.alive(_WORK_SECONDS)
            if self.upgrades.requested is None and self.program.replaced(self.operator.clock):
                break
            changes.watch(_WATCHED)
            at_rest = self.round()
            self.service.alive(_HANG_SECONDS)
            processes = self._processes() if at_rest else ()
            if processes:
                # Podman's service occupies memory while it is in use, so it is closed before the pause.
                self.close()
            self.operator.clock.sleep(_SHORTEST_PAUSE)
            if processes:
                self._rest(changes, processes)
        self.tell(log_lines.PROGRAM_REPLACED(version=__version__))

    def _rest(self, changes: Changes, processes: Sequence[int]) -> None:
        """Wait until there is something to do; meanwhile run the tasks that only read files."""
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
        """Run the due tasks; return whether everything is healthy and nothing is about to change.

        While another run is in progress on this host, the remaining tasks wait for the next round.
        """
        return (
            self._run(self.tasks)
            and not self._failing
            and self._restarts.all_healthy
            and self._configurations.settled
        )

    def _run(self, tasks: Iterable[Task]) -> bool:
        """Run tasks one after the other; return False if another run on this host holds the lock."""
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
        """Return the process ids of the containers; empty unless both run."""
        with suppress(SetupError):
            states = [self.context.host.engine.inspect(name) for name in CONTAINERS]
            found = tuple(state.process_id for state in states if state and state.process_id)
            return found if len(found) == len(CONTAINERS) else ()
        return ()

    def close(self) -> None:
        """Close the connection to the engine; the next round opens it again."""
        self.context.close()

    def _nudge(self) -> None:
        """Signal the gateway to apply its files now; ignore a failure."""
        with suppress(SetupError):
            containers.reload_gateway(self.context.host)
