"""One round of the monitor: an upgrade, an overdue certificate, another port, lost modules, what is down."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from mstunnel_setup import __version__
from mstunnel_setup.actions import containers, tunnel_device
from mstunnel_setup.actions.certificates import pending_imports
from mstunnel_setup.actions.host import Host, Scope
from mstunnel_setup.actions.kernel import LoadModule
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import LockedError, SetupError, StepError, declared
from mstunnel_setup.base.log_line import LogLine, Tell, error_line
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.exchange import MOST_DRAIN_MINUTES, log_lines
from mstunnel_setup.exchange.health_report import HealthState, read_health
from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest
from mstunnel_setup.exchange.release_feed import offered, read_feed
from mstunnel_setup.exchange.upgrade_history import Upgrade, UpgradeOutcome, read_history
from mstunnel_setup.install.agent_hints import agent_problem
from mstunnel_setup.install.installed import journal_of, open_host
from mstunnel_setup.io import bundle
from mstunnel_setup.io.changes import Changes
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.safe_paths import visible_kind
from mstunnel_setup.io.systemd import ServiceManager
from mstunnel_setup.operations.monitor import upgrades
from mstunnel_setup.operations.monitor.configuration import Configurations, wanted_port
from mstunnel_setup.operations.monitor.limits import LimitedLog, RateLimiter
from mstunnel_setup.operations.monitor.watch import Condition, RestartWatch, silent
from mstunnel_setup.readiness.facts.host import HostReader, own_addresses
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.sysctls import MODULE_FILES
from mstunnel_setup.transaction.lock import exclusive

# The installer is imported when there is work for it: it doubles what a monitor at rest holds in memory.

# What asks for a look: the agent's messages, and the settings of this host.
_WATCHED: Final = (paths.CONFIGURATION, paths.INBOX)
_CONTAINERS: Final = (paths.SERVER, paths.AGENT)
# However often the agent leaves something here. Also while something is not well, or about to change.
_SHORTEST_PAUSE: Final = 8.0
# While all is well it only reads files, and asks Podman, whose service has to start for that, now and then.
_PAUSE_AT_REST: Final = 120.0
_PAUSES_AT_REST: Final = 7
# Much longer than its longest pause is a hang, for which systemd starts it again.
_HANG_SECONDS: Final = 180.0
# A package is replaced file by file, and a file that someone copies grows.
_UNCHANGED_SECONDS: Final = 10.0
# A file is complete a moment after it appears, and a process is gone a moment before its container is.
_SETTLE_SECONDS: Final = 0.5
# The agent looks once a minute; one that asks more often gets no more of the lock and the log. For imports
# to the minute is what cron does, too. A look at the tunnel costs as much as a health check.
_MINUTE: Final = 60.0
# A module that was not loaded, or a restart that has not helped, is tried again later.
_RETRY_PAUSE: Final = 600.0
_FEED_PAUSE: Final = 3600.0
# How long one piece of work may take before the service manager ends it: the engine or a disk hangs. Draining
# and downloading take their time.
_WORK_SECONDS: Final = 1800.0
_UPGRADE_SECONDS: Final = 60.0 * MOST_DRAIN_MINUTES + 21600.0


class OwnProgram:
    """The program that runs, against the one that is now in its place."""

    def __init__(self) -> None:
        self._running = bundle.running()

    def is_another(self) -> bool:
        """Whether another one is there, which may be incomplete."""
        return self._running != "" and bundle.installed() not in ("", self._running)

    def replaced(self, clock: Clock) -> bool:
        """Whether another one is there, complete and unchanged for ten seconds, for which this waits.

        While it is incomplete or damaged, the one that runs goes on.
        """
        found = bundle.installed()
        if not self.is_another() or not bundle.intact():
            return False
        clock.sleep(_UNCHANGED_SECONDS)
        return bundle.installed() == found and bundle.intact()


@dataclass
class AgentReports:
    """Logs the health of this server, and what the agent fails at, when it changes.

    The agent cannot write to the journal. Its report is untrusted: it is validated as data, and the hints are
    the host's.
    """

    files: Files
    tell: Tell
    _state: HealthState = HealthState.UNKNOWN
    _problem: LogLine | None = None

    def look(self) -> str:
        """Log what is new; returns the health and its reasons on one line, empty without a report."""
        report = read_health(self.files)
        if report is None:
            return ""
        troubled = "; ".join(f"{row.title}: {row.text}" for row in report.rows if row.state is report.state)
        why = "" if report.state is HealthState.HEALTHY else text(": {troubled}", troubled=troubled)
        if report.state is not self._state:
            self.tell(log_lines.HEALTH_CHANGED(state=report.state, why=why))
        self._state = report.state
        line = error_line(agent_problem(report.last_error)) if report.last_error is not None else None
        if line is not None and line != self._problem:
            self.tell(line)
        self._problem = line
        return plain(f"{report.state}{why!s} ({report.at:%H:%M} UTC)")


@dataclass
class GatewayMonitor:
    """Looks after the gateway of this server; `_next` is when each work is due, in monotonic seconds."""

    operator: Operator
    tell: Tell
    service: ServiceManager = field(default_factory=ServiceManager)
    program: OwnProgram = field(default_factory=OwnProgram)
    _watch: RestartWatch = field(default_factory=RestartWatch)
    _open: ExitStack = field(default_factory=ExitStack)
    _ports: Host | None = None
    _next: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    _lost: Sequence[str] = ()
    _not_loaded: str = ""
    _requested: AgentRequest | None = None
    _said: dict[str, str] = field(default_factory=dict)
    _well: bool = False

    def __post_init__(self) -> None:
        """Limit the lines that the agent can cause, for each kind of work separately.

        Restarts, moves and upgrades, which are limited themselves, are always logged.
        """
        self._files, self._clock = self.operator.files, self.operator.clock
        self._complaints = defaultdict[str, LimitedLog](self._limited)
        self._configurations = Configurations(self._files, self._clock, self._nudge, self._limited().tell)
        self._reports = AgentReports(self._files, self._limited().tell)

    def _limited(self) -> LimitedLog:
        return LimitedLog(self.tell, self._clock)

    def run(self, changes: Changes) -> None:
        """Look when something has changed, and every quarter of an hour; more often while all is not well.

        Returns between two rounds, without work that is pending, once the program was replaced.
        """
        while True:
            # Also for the start of the new program, which may have to unpack itself.
            self.service.alive(_WORK_SECONDS)
            if self._requested is None and self.program.replaced(self._clock):
                break
            changes.watch(_WATCHED)
            at_rest = self.round()
            self.service.alive(_HANG_SECONDS)
            processes = self._processes() if at_rest else ()
            if processes:
                # Before the pause: Podman's service takes memory as long as it is in use.
                self.close()
            self._clock.sleep(_SHORTEST_PAUSE)
            if processes:
                self._rest(changes, processes)
        self.tell(log_lines.PROGRAM_REPLACED(version=__version__))

    def _rest(self, changes: Changes, processes: Sequence[int]) -> None:
        """Wait until there is something to do, and do now and then what needs files only."""
        for _ in range(_PAUSES_AT_REST):
            if changes.wait(_PAUSE_AT_REST, processes):
                self._clock.sleep(_SETTLE_SECONDS)
                return
            self.service.alive(_HANG_SECONDS)
            self._do(self._configurations.keep_level)
            self._do(self._addresses, _MINUTE)
            # The window of this host may have opened.
            self._do(self._offer)
            self._do(self._reports.look)
            if self._failing or silent(self._files, self._clock.now()) or self.program.is_another():
                return

    def round(self) -> bool:
        """Look once and do what is due; whether all is well now, and nothing is about to change.

        Whatever fails is logged, once; the next round tries again. Also what was not foreseen: what the agent
        leaves here must not end the work on everything else.
        """
        for work, pause in (
            (self._feed, _FEED_PAUSE),
            (self._offer, 0.0),
            (self._request, 0.0),
            (self._upgrade, 0.0),
            (self._configurations.look, 0.0),
            (self._configurations.keep_level, 0.0),
            (self._imports, _MINUTE),
            (self._port, 0.0),
            (self._modules, 0.0),
            (self._tunnel, _MINUTE),
            (self._containers, 0.0),
            (self._addresses, _MINUTE),
        ):
            self.service.alive(_WORK_SECONDS)
            if not self._do(work, pause):
                return False
        return not self._failing and self._well and self._configurations.settled

    @property
    def _failing(self) -> bool:
        """Whether any work fails but the feed, which is tried again in an hour however often this looks."""
        return bool(self._said.keys() - {self._feed.__qualname__})

    def _do(self, work: Callable[[], object], pause: float = 0.0) -> bool:
        """Do one kind of work, unless `pause` seconds have not passed since the last time.

        False while another run is in progress on this host.
        """
        name = work.__qualname__
        if not self._due(name, pause):
            return True
        try:
            work()
            self._said.pop(name, None)
        except LockedError:
            # Nothing is changed meanwhile; the next round tries again.
            self._next[name] = 0.0
            self.service.status("Waiting: another run is in progress on this host")
            return False
        except Exception as error:  # noqa: BLE001 (each kind of work goes on without the others)
            # It is logged when it is new, not in every round.
            line = error_line(declared(error).problem)
            if self._said.get(name) != line:
                self._complaints[name].tell(line)
            self._said[name] = line
            self.close()
        return True

    def _processes(self) -> tuple[int, ...]:
        """Those of the containers; none unless both run."""
        with suppress(SetupError):
            states = [self._host.engine.inspect(name) for name in _CONTAINERS]
            found = tuple(state.process_id for state in states if state and state.process_id)
            return found if len(found) == len(_CONTAINERS) else ()
        return ()

    def close(self) -> None:
        """Close the connection to the engine; the next round opens it again."""
        self._ports = None
        self._open.close()

    def _nudge(self) -> None:
        """Have the gateway apply its files now, if that works."""
        with suppress(SetupError):
            containers.reload_gateway(self._host)

    @property
    def _host(self) -> Host:
        """This host. Opening the engine costs more than a look, so it stays open from look to look."""
        if self._ports is None:
            self._ports = self._open.enter_context(open_host(self.operator))
        return self._ports

    def _due(self, work: str, pause: float) -> bool:
        """Whether it is time for this work, which is due again after `pause` seconds."""
        now = self._clock.monotonic()
        if now < self._next[work]:
            return False
        self._next[work] = now + pause
        return True

    def _feed(self) -> None:
        """Refresh the release feed; one that is set up later is fetched in the next round."""
        if (settings := read_feed(self._files)) is None:
            self._next[self._feed.__qualname__] = 0.0
            return
        from mstunnel_setup.operations.upgrade import feed  # noqa: PLC0415 (see above)

        # A command that refreshes it uses the same files; others need not wait for a server that is slow.
        with exclusive(self._files, self._clock, paths.FEED_LOCK):
            feed.fetch(self.operator, settings)

    def _offer(self) -> None:
        """Offer the agent the release that it may request."""
        upgrades.show_offer(self._files, self._clock.now())

    def _request(self) -> None:
        """Take the agent's request out of its directory, without the lock: the agent can put anything there.

        While the gateway is stopped, the agent may withdraw it. Raises StepError: it is no request.
        """
        pending = self._files.state(UPGRADE.request) is not None
        if pending and not self._stopped() and self._due("request", _MINUTE):
            self._requested = upgrades.take(self._files)

    def _upgrade(self) -> None:
        """Complete an upgrade, or begin the one that the agent requests, unless the gateway is stopped.

        Raises StepError: what the agent requests is not allowed.
        """
        if read_history(self._files).unfinished is None and (self._requested is None or self._stopped()):
            self._requested = None
            return
        from mstunnel_setup.install import session  # noqa: PLC0415 (see above)
        from mstunnel_setup.operations.upgrade import run as upgrade_run  # noqa: PLC0415 (see above)
        from mstunnel_setup.operations.version import release_names  # noqa: PLC0415 (see above)

        self.service.alive(_UPGRADE_SECONDS)
        with session.open_run(self.operator) as run:
            self.service.status("Upgrading the gateway")
            if (ended := upgrade_run.finish(run)) is not None:
                self.tell(_upgrade_line(ended))
            request, self._requested = self._requested, None
            if request is None or (images := request.images()) == upgrade_run.running(run).digests:
                return
            now = self._clock.now()
            catalogue = offered(run.files, now)
            upgrades.admit(run.files, catalogue, request, now)
            name = release_names(catalogue, images)[0]
            self.tell(log_lines.UPGRADE_BEGUN(release=name))
            minutes = catalogue.drain_minutes
            ended = upgrade_run.upgrade_to(run, name, images, "agent", drain_minutes=minutes)
            self.tell(_upgrade_line(ended))

    def _imports(self) -> None:
        """Take the certificates into use whose time has come and whose timer has not done it."""
        receipt = journal_of(Scope.ALL, self.operator, despite_damage=True).receipt
        if not pending_imports(receipt):
            return
        from mstunnel_setup.install import session  # noqa: PLC0415 (see above)
        from mstunnel_setup.operations.certificate import delayed_import  # noqa: PLC0415 (see above)

        timers = self._host.systemd.running()
        for pending in delayed_import.overdue(receipt, self._host.clock.now(), timers=timers):
            with session.installed_run(self.operator, despite_damage=True) as run:
                self.tell(log_lines.CERTIFICATE(name=pending.name))
                delayed_import.take(run, pending)

    def _port(self) -> None:
        """Move to the port that the tenant wants, at most every ten minutes, whether it works or not.

        A gateway that an administrator stopped moves once it is started again.
        """
        now, limiter = self._clock.now(), RateLimiter(self._files)
        interrupted = limiter.moving
        wanted = interrupted or wanted_port(self._files)
        if wanted is None or (interrupted is None and (limiter.wait("port", now) or self._stopped())):
            return
        from mstunnel_setup.install import session  # noqa: PLC0415 (see above)
        from mstunnel_setup.operations.monitor import port  # noqa: PLC0415 (see above)

        with session.open_run(self.operator) as run:
            if interrupted is None:
                limiter.record("port", now, moving=wanted)
            self.service.status(f"Moving the gateway to port {wanted}")
            self.tell(log_lines.PORT(port=wanted))
            try:
                port.move(run, wanted)
            except Exception:
                limiter.end_move()
                raise
            limiter.end_move()

    def _stopped(self) -> bool:
        """Whether an administrator stopped the gateway. Without systemd this is unknown."""
        systemd, unit = self._host.systemd, f"{paths.SERVER}.service"
        return systemd.known(unit) and systemd.stopped(unit)

    def _modules(self) -> None:
        """Load lost modules, and have a server that runs use them; tried every ten minutes, reported once."""
        if not self._files.live:
            return
        lost = lost_modules(self._files, self._clock)
        if lost and self._due("load", _RETRY_PAUSE):
            self._not_loaded = _load_modules(self._host, lost)
        self._lost = self._lost or lost
        if left := lost and lost_modules(self._files, self._clock):
            raise StepError(
                "module-lost",
                "kernel module missing: {modules}: {reason}",
                hint="Load it with modprobe; after a kernel update, restart the host.",
                modules=", ".join(left),
                reason=self._not_loaded or text("loading it did not help"),
            )
        if self._lost:
            self.tell(log_lines.MODULES(modules=", ".join(self._lost)))
            self._lost = ()
            if not self._stopped():
                containers.restart(self._host, paths.SERVER)

    def _tunnel(self) -> None:
        """Restart a gateway that was started before its tunnel device could be used."""
        if not self._files.live:
            return
        if reason := tunnel_device.out_of_date(self._host):
            self._next[self._tunnel.__qualname__] = self._clock.monotonic() + _RETRY_PAUSE
            self.tell(log_lines.TUNNEL(container=paths.SERVER, device=tunnel_device.DEVICE, reason=reason))
            containers.restart(self._host, paths.SERVER)

    def _addresses(self) -> None:
        """Update the list of this host's addresses, which devices must not reach."""
        files = self._files
        written = files.read(paths.HOST_ADDRESSES)
        if written is None:
            return
        found = own_addresses(files, self._clock).encode()
        if found and found != written:
            files.write(paths.HOST_ADDRESSES, found, 0o644)
            self.tell(log_lines.ADDRESSES())

    def _containers(self) -> None:
        unheard = silent(self._files, self._clock.now())
        seen: dict[str, Condition] = {
            name: condition(self._host, name, check=name in unheard) for name in _CONTAINERS
        }
        # Without systemd only these looks have the engine check the health.
        self._well = set(seen.values()) == {"healthy"} and self._host.systemd.running()
        health = self._reports.look()
        shown = [f"{name}: {seen[name]}" for name in seen]
        self.service.status("; ".join([*shown, *([f"server health: {health}"] if health else [])]))
        for name in self._watch.look(seen, self._host.clock.monotonic()):
            self.tell(log_lines.RESTART(container=name, condition=seen[name]))
            containers.restart(self._host, name)


def lost_modules(files: Files, clock: Clock) -> Sequence[str]:
    """The modules that the gateway needs and this kernel can load, but has not; `tun` without its device.

    A system update may have removed them; without them no device can connect.
    """
    reader = HostReader(files.given, clock, Settings(), {})
    away = [name for name in MODULE_FILES if name not in reader.modules()]
    found = set(away) & reader.loadable() if away else set[str]()
    return sorted(found if visible_kind(Path(tunnel_device.DEVICE)) else {*found, "tun"})


def _load_modules(host: Host, names: Sequence[str]) -> str:
    """Load modules; returns why that did not work, empty when it did."""
    if paths.ROOTLESS:
        return text("only root may load it: run `modprobe --all {names}` as root", names=" ".join(names))
    try:
        for name in names:
            LoadModule(name=name).apply(host, {})
    except StepError as error:
        return error.message
    return ""


def condition(host: Host, container: str, *, check: bool = False) -> Condition:
    """How a container is, with `check` now; what an administrator stopped is let alone."""
    unit = f"{container}.service"
    if host.systemd.known(unit) and not host.systemd.active(unit):
        return "failed" if host.systemd.failed(unit) else "stopped"
    found = containers.state_of(host, container)
    if found is None or found.status != "running":
        return "stopped"
    if check and found.health is not None:
        # Docker counts only the checks that it makes itself.
        return "healthy" if host.engine.probe(container) else "unhealthy"
    return "healthy" if found.health is None else found.health


def _upgrade_line(ended: Upgrade) -> LogLine:
    if ended.outcome is UpgradeOutcome.DONE:
        away = text(", but no device that was connected has come back yet") if ended.unproved else ""
        return log_lines.UPGRADE_DONE(release=ended.release, away=away)
    return log_lines.UPGRADE_ENDED(outcome=ended.outcome, release=ended.release, reason=ended.reason)
