"""Run the lab: one process, TLS, files in one directory, lab.json when it is ready."""

import asyncio
import contextlib
import fcntl
import json
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mstunnel_lab.app import make_app
from mstunnel_lab.open_lab import Settings, describe, open_labs
from mstunnel_lab.own_files import using
from mstunnel_lab.pki import write_private
from mstunnel_lab.state import Labs
from mstunnel_setup.base.errors import ExitCode, LockedError, NetworkError
from mstunnel_setup.base.values import JsonObject

_BACKLOG: Final = 2048

Announce: TypeAlias = Callable[[Mapping[str, object]], None]
"""Takes the content of lab.json once the lab is ready."""


@dataclass
class _Stop:
    """Which signal asked to stop, if any."""

    number: int | None = field(default=None)


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to us and says when it is ready."""

    def __init__(
        self, config: uvicorn.Config, ready: Path, description: JsonObject, announce: Announce
    ) -> None:
        super().__init__(config)
        self._ready = ready
        self._description = description
        self._announce = announce

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let the caller's handlers stay in place."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then write lab.json and announce it."""
        await super().startup(sockets)
        if self.started:
            text = json.dumps(self._description, indent=2) + "\n"
            write_private(self._ready, text.encode())
            self._announce(self._description)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop connections without a request at once: an idle client never answers a TLS farewell."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol) and _is_idle(connection):
                connection.transport.abort()
        await super().shutdown(sockets)


def _is_idle(connection: H11Protocol) -> bool:
    return connection.cycle is None or connection.cycle.response_complete


def serve(settings: Settings, announce: Announce) -> ExitCode:
    """Serve until SIGTERM (DONE) or SIGINT (INTERRUPTED); `announce` is called when the lab is ready.

    Raises `UsageError` (directory, port, seed), `NetworkError` (port in use), `LockedError` (another lab
    runs in the directory).
    """
    with using(settings.directory):
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(settings.directory), _listening(settings) as listener:
        ready = settings.directory / "lab.json"
        with using(ready):
            ready.unlink(missing_ok=True)
        labs = open_labs(settings, listener.getsockname()[1])
        try:
            stop = asyncio.run(_run(settings, labs, listener, ready, announce))
        finally:
            ready.unlink(missing_ok=True)
            labs.close()
    return ExitCode.INTERRUPTED if stop.number == signal.SIGINT else ExitCode.DONE


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    path = directory / "lab.lock"
    with using(path):
        opened = path.open("a")
    with opened as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise LockedError(
                "lab-running",
                "another lab is running in {directory}",
                hint="Stop it, or use another --dir.",
                directory=directory,
            ) from error
        yield


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off; without, each answer takes 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(_BACKLOG)
        except OSError as error:
            raise NetworkError(
                "lab-port",
                "cannot listen on {host} port {port}: {reason}",
                hint="Use another --host or --port.",
                host=settings.host,
                port=settings.port,
                reason=error.strerror,
            ) from error
        yield listener


async def _run(
    settings: Settings, labs: Labs, listener: socket.socket, ready: Path, announce: Announce
) -> _Stop:
    chain, key = labs.authority.server_certificate(settings.directory, settings.certificate_names)
    config = uvicorn.Config(
        make_app(labs),
        ssl_certfile=str(chain),
        ssl_keyfile=str(key),
        log_level="warning",
        access_log=False,
        http=H11Protocol,
        ws="none",
        lifespan="off",
        server_header=False,
        timeout_graceful_shutdown=3,
    )
    with using(key):
        config.load()
    server = _Server(config, ready, describe(labs), announce)
    stop = _Stop()

    def note(number: int) -> None:
        stop.number = number
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, note, number)
    await server.serve([listener])
    return stop
