"""Run the lab: one process, TLS, files in one directory, lab.json when it is ready."""

import asyncio
import contextlib
import fcntl
import ipaddress
import json
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mstunnel_setup.errors import ExitCode, LockedError, NetworkError, UsageError
from mstunnel_setup.lab.app import make_app
from mstunnel_setup.lab.pki import Authority, self_signed, signing_key, write_private
from mstunnel_setup.lab.records import ApplicationRecord, UserRecord
from mstunnel_setup.lab.seed import read_seed
from mstunnel_setup.lab.state import Lab
from mstunnel_setup.lab.store import Store
from mstunnel_setup.lab.tenant import open_tenant
from mstunnel_setup.lab.tokens import TokenService
from mstunnel_setup.lab.urls import Urls
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID

_LOCAL_NAMES: Final = ("localhost", "127.0.0.1")


@dataclass(frozen=True)
class Settings:
    """How to serve. `port` 0 takes a free one; the first of `names` is the one in addresses."""

    directory: Path
    port: int = 8443
    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    seed: Path | None = None

    @property
    def public_name(self) -> str:
        """The host in the lab's addresses."""
        wildcard = self.host in {"", "0.0.0.0", "::"}  # noqa: S104
        return self.names[0] if self.names else "localhost" if wildcard else self.host

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """What the server certificate covers."""
        return (self.public_name, *self.names, *_LOCAL_NAMES)


@dataclass
class _Stop:
    """Which signal asked to stop, if any."""

    number: int | None = field(default=None)


class _Server(uvicorn.Server):
    """uvicorn that leaves signals to us and says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Path, description: dict[str, Any]) -> None:
        super().__init__(config)
        self._ready = ready
        self._description = description

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Let the caller's handlers stay in place."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then write lab.json."""
        await super().startup(sockets)
        if self.started:
            text = json.dumps(self._description, indent=2) + "\n"
            write_private(self._ready, text.encode())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop connections without a request at once: an idle client never answers a TLS farewell."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol) and _is_idle(connection):
                connection.transport.abort()
        await super().shutdown(sockets)


def _is_idle(connection: H11Protocol) -> bool:
    return connection.cycle is None or connection.cycle.response_complete


def serve(settings: Settings) -> ExitCode:
    """Serve until SIGTERM (DONE) or SIGINT (INTERRUPTED).

    Raises `UsageError` (directory, port, seed), `NetworkError` (port in use), `LockedError` (another lab
    runs in the directory).
    """
    _make_directory(settings.directory)
    with _locked(settings.directory), _listening(settings) as listener:
        ready = settings.directory / "lab.json"
        ready.unlink(missing_ok=True)
        lab = open_lab(settings, listener.getsockname()[1])
        try:
            stop = asyncio.run(_run(settings, lab, listener, ready))
        finally:
            ready.unlink(missing_ok=True)
            lab.store.close()
    return ExitCode.INTERRUPTED if stop.number == signal.SIGINT else ExitCode.DONE


def open_lab(settings: Settings, port: int) -> Lab:
    """Return the lab kept in the directory, made there the first time; raises `UsageError`."""
    text = read_seed(settings.seed)
    database = settings.directory / "lab.sqlite"
    database.touch(0o600)
    store = Store(database)
    try:
        name = str(settings.seed or "seed.yaml")
        tenant = open_tenant(store, text, name, seed_given=settings.seed is not None)
    except BaseException:
        store.close()
        raise
    urls = Urls(f"https://{_host_in_url(settings.public_name)}:{port}", tenant.id)
    key = signing_key(settings.directory / "token-signing.key")
    certificate = self_signed(key, "Lab tenant token signing")
    return Lab(store, tenant, urls, TokenService(key, certificate, urls, tenant.gateway_token_version))


def describe(lab: Lab, ca_file: Path) -> dict[str, Any]:
    """Return the content of lab.json."""
    version = lab.tenant.gateway_token_version
    return {
        "authority": lab.urls.authority,
        "graph": lab.urls.graph,
        "tenant_id": lab.tenant.id,
        "ca_file": str(ca_file.resolve()),
        "client_id": _application_for(lab, "setup"),
        "device_client_id": _application_for(lab, "device"),
        "admin_center": lab.urls.admin_center,
        "device_login": lab.urls.device_login,
        "internal_url": lab.tenant.internal_url,
        "gateway": {
            "audience": GATEWAY_APP_ID,
            "issuer": lab.urls.issuer(version),
            "openid_configuration_url": lab.urls.openid_configuration(version),
        },
        "users": [
            {"upn": user.upn, "password": user.password, "roles": user.roles, "licensed": user.licensed}
            for user in lab.store.each(UserRecord)
        ],
        "pid": os.getpid(),
    }


def _application_for(lab: Lab, use: str) -> str:
    return lab.store.each(ApplicationRecord, parent=use)[0].app_id


def _host_in_url(name: str) -> str:
    try:
        return f"[{name}]" if ipaddress.ip_address(name).version == 6 else name  # noqa: PLR2004
    except ValueError:
        return name


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError("lab-directory", f"cannot make the directory {path}: {error.strerror}") from error


@contextlib.contextmanager
def _locked(directory: Path) -> Iterator[None]:
    with (directory / "lab.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            hint = "stop it, or give another --dir"
            raise LockedError("lab-running", f"another lab runs in {directory}", hint) from error
        yield


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # With the protocol named, asyncio switches Nagle's algorithm off; without, each answer takes 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(128)
        except OSError as error:
            where = f"{settings.host} port {settings.port}"
            raise NetworkError(
                "lab-port", f"cannot listen on {where}: {error.strerror}", "give another --host or --port"
            ) from error
        yield listener


async def _run(settings: Settings, lab: Lab, listener: socket.socket, ready: Path) -> _Stop:
    authority = Authority(settings.directory)
    chain, key = authority.server_certificate(settings.directory, settings.certificate_names)
    config = uvicorn.Config(
        make_app(lab),
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
    server = _Server(config, ready, describe(lab, authority.certificate_path))
    stop = _Stop()
    _stop_on_signals(server, stop, (signal.SIGTERM, signal.SIGINT))
    await server.serve([listener])
    return stop


def _stop_on_signals(server: uvicorn.Server, stop: _Stop, numbers: Sequence[signal.Signals]) -> None:
    def note(number: int) -> None:
        stop.number = number
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.add_signal_handler(number, note, number)
