"""The drain before an upgrade, and the tests of a release after it.

The host cannot sign in to its gateway, since only devices get tokens. Two observations replace that:
connected devices reconnect within seconds unless they sleep, and the gateway reports whether it reaches the
internal address of its site.

A drained gateway refuses new connections, so a load balancer sends devices to another server. When ocserv
stops, it notifies the devices that are still connected.
"""

import re
from contextlib import suppress
from datetime import datetime
from typing import Final

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, NetworkError, SetupError
from mstunnel_setup.base.text import printable, text
from mstunnel_setup.containers.engine import LogOptions
from mstunnel_setup.exchange.gateway_report import LATEST_PROBE, Probe, read_report
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.serving import within_patience
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.sessions import ask

# ocserv 1.3.0 logs this line as an error, so at every level, with its source (worker-log.c, worker-auth.c).
_REFUSAL: Final = re.compile(
    # The pattern is anchored at the line's start or after its time, since a device chooses text further on.
    r"^(?:[0-9T:.+Z-]+ )?worker(?:\[[^\]]*\])?: ([0-9a-fA-F.:]+) "
    r"(?:[\w.-]+:\d+: )?failed authentication for ",
    re.MULTILINE,
)
_PATIENCE: Final = 60.0
_PAUSE: Final = 2.0
_SECONDS: Final = 20.0
# The gateway probes at its start, gives up after 20 seconds, and reports after 30.
_PROBE_PATIENCE: Final = 60.0
_DRAIN_PAUSE: Final = 5.0
# The rule has a separate nftables table, since the gateway rewrites its main table at each start.
_TABLE: Final = ("inet", "mstunnel_drain")


def refused_addresses(log: str) -> frozenset[str]:
    """Return the addresses of devices whose sign-in the gateway refused, from its log."""
    return frozenset(_REFUSAL.findall(log))


def connected(host: Host) -> tuple[str, ...]:
    """Return the address of each connected device. Raises EngineError if the gateway does not answer."""
    # occtl lists every open connection, also those without a successful sign-in.
    return tuple(
        str(row.get("Remote IP", "")) for row in ask(host, "users") if row.get("State") == "connected"
    )


def await_devices(run: Run, before: tuple[str, ...]) -> int:
    """Wait up to a minute until a device connects, and return the number of connected devices.

    Raises NetworkError `devices-refused` if none connects and one of the addresses `before` was refused.
    Other refused addresses prove nothing, since the earlier release may have refused them too; a device that
    has not reconnected may sleep.
    """
    clock = run.host.clock
    end = clock.monotonic() + _PATIENCE
    if not (found := _count(run.host)):
        run.console.say("Waiting for a device to come back, at most {patience:.0f} s.", patience=_PATIENCE)
    while not found and clock.monotonic() < end:
        clock.sleep(_PAUSE)
        found = _count(run.host)
    if not found and refused_addresses(_log(run.host)).intersection(before):
        raise NetworkError(
            "devices-refused",
            "devices that were connected before are refused now, and none is accepted",
            hint="Search `mst-cli server logs` for `failed authentication`.",
        )
    return found


def _count(host: Host) -> int:
    """Return the number of connected devices; zero while the gateway does not answer yet."""
    with suppress(EngineError):
        return len(connected(host))
    return 0


def _log(host: Host) -> str:
    """Return the log of the running container; empty if the engine does not keep one."""
    command = host.engine.logs_command(paths.SERVER, LogOptions())
    with suppress(SetupError):
        done = host.processes.run(command, timeout=_SECONDS, check=False)
        return done.output + done.error
    return ""


def reached_address(files: Files, now: datetime) -> str:
    """Return the configured probe address if the gateway reached it recently; else empty.

    Another address in the report does not count, and neither does an invalid report: with these a compromised
    gateway could prevent the installation of a release.
    """
    probe = None
    with suppress(FileError):
        probe = _probe(files)
    if probe is None or not probe.reached or abs(now - probe.at) > LATEST_PROBE:
        return ""
    return probe.url if files.read(paths.PROBE_URL) == f"{probe.url}\n".encode() else ""


def _probe(files: Files) -> Probe | None:
    report = read_report(files)
    return None if report is None else report.probe


def reaches_inside(run: Run, url: str) -> None:
    """Wait until the running gateway has reached `url`. Raises NetworkError `inside-unreachable`."""

    def require_reached() -> None:
        probe, state = _probe(run.files), run.host.engine.inspect(paths.SERVER)
        started = state.started_at if state is not None else None
        why = ""
        if probe is None or started is None or probe.at < started.replace(microsecond=0):
            why = "it has not tried"
        # If the probe address changed, the site was edited meanwhile and this test no longer applies.
        elif probe.url == url and not probe.reached:
            why = probe.words
        if why:
            raise NetworkError(
                "inside-unreachable",
                "the gateway can no longer reach {url}: {why}",
                hint="Test it from this server; see the row internal-network of `mst-cli health`.",
                url=url,
                why=why,
            )

    within_patience(run.host.clock, require_reached, _PROBE_PATIENCE)


def drain(run: Run, port: int, minutes: int) -> None:
    """Refuse new connections to `port` and wait up to `minutes` minutes for the last session to end.

    A gateway that does not answer has no sessions to wait for. The next container accepts connections again.
    """
    host, say = run.host, run.console.say
    end = host.clock.monotonic() + 60 * minutes
    match = ("iifname", "!=", "lo", "tcp", "dport", str(port), "ct", "state", "new")
    try:
        # The loopback stays open for the health check, and UDP because it carries existing sessions.
        _add(host, "table", *_TABLE)
        _add(host, "chain", *_TABLE, "input", "{ type filter hook input priority filter; }")
        _add(host, "rule", *_TABLE, "input", *match, "reject", "with", "tcp", "reset")
        left = len(connected(host))
        if left:
            say(
                text(
                    "Waiting for {left} session{plural} to end, at most {minutes} min.",
                    left=left,
                    plural="" if left == 1 else "s",
                    minutes=minutes,
                )
            )
        while left and host.clock.monotonic() < end:
            host.clock.sleep(_DRAIN_PAUSE)
            left = len(connected(host))
    except SetupError as error:
        say(text("Not waiting for sessions: {message}.", message=error.message))


def _add(host: Host, *words: str) -> None:
    finished = host.engine.execute(paths.SERVER, ["nft", "add", *words], _SECONDS)
    if finished.code != 0:
        reason = printable(finished.error or finished.output).strip()
        raise EngineError(
            "drain-failed", "the gateway cannot refuse new connections: {reason}", reason=reason
        )


def reopen(host: Host) -> None:
    """Accept new connections again, if the container was not replaced after all."""
    host.engine.execute(paths.SERVER, ["nft", "delete", "table", *_TABLE], _SECONDS)
