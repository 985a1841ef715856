"""Drain a gateway before its container is replaced: new connections are refused, sessions may end.

A balancer in front of the site sees the port refused and sends devices to another server. ocserv
notifies the devices still connected at the end that the server shuts down, as always when it stops.
"""

from typing import Final

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, SetupError
from mstunnel_setup.base.text import printable, text
from mstunnel_setup.install.context import Context
from mstunnel_setup.operations.upgrade.reconnect import connected

_PAUSE: Final = 5.0
_SECONDS: Final = 20.0
# A separate table: the gateway rewrites its other one whenever it starts.
_TABLE: Final = ("inet", "mstunnel_drain")
_CHAIN: Final = (*_TABLE, "input")


def drain(context: Context, port: int, minutes: int) -> None:
    """Refuse new connections to `port` and wait for the last session to end, at most so many minutes.

    A gateway that does not answer has no sessions to wait for. The container that comes next lets devices in.
    """
    clock = context.ports.clock
    end = clock.monotonic() + 60 * minutes
    try:
        _close(context.ports, port)
        left = len(connected(context.ports))
        if left:
            context.prompter.say(
                text(
                    "Waiting for {left} sessions to end, at most {minutes} minutes.",
                    left=left,
                    minutes=minutes,
                )
            )
        while left and clock.monotonic() < end:
            clock.sleep(_PAUSE)
            left = len(connected(context.ports))
    except SetupError as error:
        context.prompter.say(text("Not waiting for sessions: {message}.", message=error.message))


def reopen(ports: Host) -> None:
    """Let devices in again, where the container was not replaced after all."""
    ports.engine.execute(paths.SERVER, ["nft", "delete", "table", *_TABLE], _SECONDS)


def _close(ports: Host, port: int) -> None:
    """The health check, which comes by the loopback, is let in; UDP belongs to sessions that there are."""
    _add(ports, "table", *_TABLE)
    _add(ports, "chain", *_CHAIN, "{ type filter hook input priority filter; }")
    match = ("iifname", "!=", "lo", "tcp", "dport", str(port), "ct", "state", "new")
    _add(ports, "rule", *_CHAIN, *match, "reject", "with", "tcp", "reset")


def _add(ports: Host, *words: str) -> None:
    finished = ports.engine.execute(paths.SERVER, ["nft", "add", *words], _SECONDS)
    if finished.code != 0:
        reason = printable(finished.error or finished.output).strip()
        raise EngineError(
            "drain-failed",
            "the gateway cannot refuse new connections: {reason}",
            reason=reason,
        )
