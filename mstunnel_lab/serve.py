"""Serving the lab: one process, TLS, files in one directory, lab.json when it is ready."""

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from mstunnel_lab.app import make_app
from mstunnel_lab.entra.tokens import KeyRing, TokenService, read_trusted
from mstunnel_lab.errors import using
from mstunnel_lab.pki import Authority, write_private
from mstunnel_lab.records import TenantRecord, UserRecord
from mstunnel_lab.seed import open_tenant, read_seed
from mstunnel_lab.state import Lab, Labs
from mstunnel_lab.store import Store
from mstunnel_lab.urls import CLOUD_NAMES, Urls
from mstunnel_setup.base.errors import ExitCode, LockedError, NetworkError, UsageError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID

_HTTPS: Final = 443
Announce: TypeAlias = Callable[[Mapping[str, object]], None]
"""Called with the content of lab.json once the lab is ready."""


@dataclass(frozen=True)
class ServeSettings:
    """The server's settings. `port` 0 selects a free one; addresses use the first of `names`.

    `seeds` has one file per tenant, the home tenant first. With `cloud` the addresses are those of a
    Microsoft cloud, for hosts that resolve them to the lab.
    """

    directory: Path
    port: int = 8443
    host: str = "127.0.0.1"
    names: tuple[str, ...] = ()
    seeds: tuple[Path, ...] = ()
    cloud: str = ""

    @property
    def public_name(self) -> str:
        """The host in the lab's addresses."""
        if self.cloud:
            return CLOUD_NAMES[self.cloud].login
        wildcard = self.host in {"0.0.0.0", "::"}  # noqa: S104
        return self.names[0] if self.names else "localhost" if wildcard else self.host

    @property
    def certificate_names(self) -> tuple[str, ...]:
        """The names in the server certificate."""
        cloud = (CLOUD_NAMES[self.cloud].graph,) if self.cloud else ()
        return (self.public_name, *cloud, *self.names, "localhost", "127.0.0.1")

    def urls(self, tenant: TenantRecord, port: int) -> Urls:
        """Return the addresses of a tenant that is served on `port`."""

        def address(name: str) -> str:
            host = f"[{name}]" if ":" in name else name
            return f"https://{host}" if port == _HTTPS else f"https://{host}:{port}"

        base = address(self.public_name)
        if not self.cloud:
            return Urls(base, tenant.id)
        graph = CLOUD_NAMES[self.cloud].graph
        return Urls(base, tenant.id, address(graph), f"https://{graph}")


@contextlib.contextmanager
def open_labs(settings: ServeSettings, port: int) -> Iterator[Labs]:
    """Open the tenants in the directory, created there the first time; raises `UsageError`."""
    names = ["lab.sqlite", *(f"lab-{number}.sqlite" for number in range(2, 100))]
    present = sum((settings.directory / name).exists() for name in names)
    seeds = settings.seeds or (None,) * (present or 1)
    ring = KeyRing(settings.directory)
    with contextlib.ExitStack() as stack:
        labs: list[Lab] = []
        for name, seed in zip(names, seeds, strict=False):
            text = read_seed(seed)
            database = settings.directory / name
            with using(database):
                database.touch(0o600)
                store = stack.enter_context(contextlib.closing(Store(database)))
            tenant = open_tenant(store, text, str(seed or "seed.yaml"), seed_given=seed is not None)
            trusted = None
            if tenant.trusted_issuer:
                trusted = read_trusted(tenant.trusted_issuer, Path(tenant.trusted_key_set))
            urls = settings.urls(tenant, port)
            tokens = TokenService(ring, urls, tenant.gateway_token_version, trusted)
            labs.append(Lab(store, tenant, urls, tokens, settings.directory / "uploads"))
        for name in ("id", "domain"):
            values = [getattr(lab.tenant, name) for lab in labs]
            if len(set(values)) < len(values):
                raise UsageError(
                    "lab-seed-duplicate",
                    "two of the seed files describe a tenant with the same {name}",
                    hint="Give each tenant its own id and domain.",
                    name=name,
                )
        yield Labs(tuple(labs), ring, Authority(settings.directory))


def describe(labs: Labs) -> JsonObject:
    """Return the content of lab.json: the home tenant, and all of them below `tenants`."""
    tenants = [_describe_tenant(lab) for lab in labs.tenants]
    return {
        **tenants[0],
        "ca_file": str(labs.authority.certificate_path.resolve()),
        "fingerprint": labs.authority.fingerprint,
        "setup": f"sudo mstunnel-setup --lab {labs.setup_option}",
        "tenants": [*tenants],
        "control": {"address": f"{labs.home.urls.base}/lab/control", "key": labs.control_key},
        "pid": os.getpid(),
    }


def _describe_tenant(lab: Lab) -> JsonObject:
    version = lab.tenant.gateway_token_version
    users = lab.store.each(UserRecord)
    shown = {"upn", "password", "roles", "custom_roles", "licensed", "mfa_code", "refused_with"}
    return {
        "name": lab.tenant.name,
        "authority": lab.urls.authority,
        "graph": lab.urls.graph,
        "tenant_id": lab.tenant.id,
        "client_id": lab.application_for("setup"),
        "device_client_id": lab.application_for("device"),
        "admin_center": f"{lab.urls.base}/admin",
        "device_login": lab.urls.device_login,
        "internal_url": lab.tenant.internal_url,
        "gateway": {
            "audience": GATEWAY_APP_ID,
            "issuer": lab.urls.issuer(version),
            "openid_configuration_url": lab.urls.openid_configuration(version),
        },
        "users": [user.model_dump(mode="json", include=shown) for user in users],
    }


class _Server(uvicorn.Server):
    """uvicorn with our own signal handlers, which calls `ready` once it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Keep the caller's signal handlers."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then call `ready`."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Drop idle connections at once: an idle client never responds to a TLS close_notify."""
        for connection in list(self.server_state.connections):
            if isinstance(connection, H11Protocol):
                is_idle = connection.cycle is None or connection.cycle.response_complete
                if is_idle:
                    connection.transport.abort()
        await super().shutdown(sockets)


def serve(settings: ServeSettings, announce: Announce) -> ExitCode:
    """Serve until SIGTERM (DONE) or SIGINT (INTERRUPTED); `announce` is called when the lab is ready.

    Raises `UsageError` (directory, port, seed), `NetworkError` (port in use), `LockedError` (another lab runs
    in the directory).
    """
    with using(settings.directory):
        settings.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = settings.directory / "lab.json"
    with _locked(settings.directory), _listening(settings) as listener:
        with using(file):
            file.unlink(missing_ok=True)
        with open_labs(settings, listener.getsockname()[1]) as labs:

            def ready() -> None:
                description = describe(labs)
                write_private(file, (json.dumps(description, indent=2) + "\n").encode())
                announce(description)

            try:
                stopped_by = asyncio.run(_run(settings, labs, listener, ready))
            finally:
                file.unlink(missing_ok=True)
    return ExitCode.INTERRUPTED if stopped_by == signal.SIGINT else ExitCode.DONE


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
def _listening(settings: ServeSettings) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    # asyncio disables Nagle's algorithm only if the protocol is named; otherwise each response takes 40 ms.
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((settings.host, settings.port))
            listener.listen(2048)
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
    settings: ServeSettings, labs: Labs, listener: socket.socket, ready: Callable[[], None]
) -> int | None:
    """Serve until a signal requests a stop; return its number."""
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
    server = _Server(config, ready)
    signals: list[int] = []

    def stop(number: int) -> None:
        signals.append(number)
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop, number)
    await server.serve([listener])
    return signals[-1] if signals else None
