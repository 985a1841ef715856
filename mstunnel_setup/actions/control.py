"""Start, stop and look at a container of ours, through its service if it has one; wait until it is up."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import printable
from mstunnel_setup.containers.engine import ContainerState, LogOptions

_UNDECIDED = "starting"
_LOG_TIMEOUT = 180.0
LOG_LINES = 10
_POLL_SECONDS = 0.5
_PROBE_SECONDS = 1.0
# Podman counts these checks too: after the start period, three failures within three seconds make a
# container unhealthy. On a slow machine checks and start take longer alike, so their number is the limit.
_FAILED_PROBES = 45
# A container that ends at every start is given up after so many restarts, and not sooner than this: a
# unit restarts it every five seconds, an engine at once.
_RESTARTS = 3
_CRASH_SECONDS = 15.0
# A container without a health check has to run this long before it counts as running.
_SETTLE_SECONDS = 2.0


def state_of(host: Host, name: str) -> ContainerState | None:
    """The state of a container; after a health check where the engine makes none, or has not yet."""
    state = host.engine.inspect(name)
    if state is None or state.status != "running" or state.health is None:
        return state
    if host.systemd.running() and state.health != _UNDECIDED:
        return state
    passed = host.engine.probe(name)
    state = host.engine.inspect(name)
    # Docker itself counts only the checks that it makes.
    well = passed and state is not None and state.health == _UNDECIDED
    return replace(state, health="healthy") if well and state is not None else state


def start(host: Host, container: str) -> None:
    """Start a container."""
    if host.systemd.known(f"{container}.service"):
        host.systemd.start(f"{container}.service")
    else:
        host.engine.start(container)


def stop(host: Host, container: str) -> None:
    """Stop a container."""
    if host.systemd.known(f"{container}.service"):
        host.systemd.stop(f"{container}.service")
    else:
        host.engine.stop(container)


def restart(host: Host, container: str) -> None:
    """Stop and start a container."""
    if host.systemd.known(f"{container}.service"):
        host.systemd.restart(f"{container}.service")
    else:
        host.engine.restart(container)


def restarts(host: Host, container: str) -> int:
    """How often its service, or the engine, has restarted the container since it was last started."""
    unit = f"{container}.service"
    return host.systemd.restarts(unit) if host.systemd.known(unit) else engine_restarts(host, container)


def engine_restarts(host: Host, container: str) -> int:
    """How often the engine has restarted the container."""
    state = host.engine.inspect(container)
    return state.restarts if state is not None else 0


def last_log(host: Host, container: str, lines: int) -> str:
    """The last lines of its log, also of a container that its service has removed."""
    unit = f"{container}.service"
    return host.systemd.log(unit, lines) if host.systemd.known(unit) else engine_log(host, container, lines)


def engine_log(host: Host, container: str, lines: int) -> str:
    """The last lines of the log that the engine has of a container."""
    command = host.engine.logs_command(container, LogOptions(lines=lines))
    done = host.processes.run(command, timeout=_LOG_TIMEOUT, check=False)
    return done.output + done.error


@dataclass
class _Steady:
    """Since when (monotonic seconds) the container has been running without a restart."""

    started: datetime | None = None
    since: float = 0.0


def wait_until_up(
    host: Host, name: str, timeout: float, log: Callable[[], str], restarts: Callable[[], int]
) -> None:
    """Return once the container `name` is healthy, or, without a health check, keeps running.

    The health check is run from here: Podman without systemd does not run it, and otherwise the first one
    may be a whole interval away. Raises EngineError `container-failed` with the last lines of `log` when the
    container stays unhealthy, when it ends again and again (`restarts` counts that), or after `timeout`
    seconds.
    """
    steady = _Steady()
    failed = 0
    begun = probe_at = host.clock.monotonic()
    while True:
        now = host.clock.monotonic()
        state = host.engine.inspect(name)
        if _up(state, steady, now):
            return
        unhealthy = state is not None and state.health == "unhealthy"
        crashing = now - begun >= _CRASH_SECONDS and restarts() >= _RESTARTS
        if now - begun >= timeout or crashing or (unhealthy and failed >= _FAILED_PROBES):
            raise launch_failure(name, state, log())
        if state is not None and state.health is not None and _running(state) and now >= probe_at:
            if host.engine.probe(name):
                return
            failed += 1
            probe_at = now + _PROBE_SECONDS
        else:
            host.clock.sleep(_POLL_SECONDS)


def launch_failure(name: str, state: ContainerState | None, log: str) -> EngineError:
    """The error for a container that does not start."""
    lines = [line for line in printable(log).splitlines() if line.strip()][-LOG_LINES:]
    tail = "".join(f"\n  {line}" for line in lines) or " nothing"
    return EngineError(
        "container-failed",
        "the container {name} does not start; it is {state}. Last lines of its log:{log}",
        hint="Fix what the log reports, then run the command again.",
        name=name,
        state=_words(state),
        log=tail,
    )


def _up(state: ContainerState | None, steady: _Steady, now: float) -> bool:
    if state is None or not _running(state):
        steady.started = None
        return False
    if state.health is not None:
        return state.health == "healthy"
    if state.started_at != steady.started:
        steady.started, steady.since = state.started_at, now
    return now - steady.since >= _SETTLE_SECONDS


def _running(state: ContainerState | None) -> bool:
    return state is not None and state.status == "running"


def _words(state: ContainerState | None) -> str:
    if state is None:
        return "missing"
    return f"{state.status} and {state.health}" if state.health else state.status
