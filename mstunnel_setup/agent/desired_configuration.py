"""Keeps the gateway's files in step with the server configuration in the tenant.

The gateway's container notices a new `ocserv.conf` by itself, has ocserv test it, and reloads.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

from mstunnel_setup import paths
from mstunnel_setup.engine.file_actions import json_bytes
from mstunnel_setup.gateway.admin_settings import admin_settings
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.fields import Document
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE, GatewayOptions, ocserv_conf
from mstunnel_setup.gateway.port import served_port
from mstunnel_setup.gateway.warning import ConfigurationWarning
from mstunnel_setup.host.files import Files


@dataclass(frozen=True)
class ManagedFile:
    """A file that the agent owns."""

    path: str
    content: bytes
    mode: int


@dataclass(frozen=True)
class Wanted:
    """All files as the tenant wants them, in the order to write them: the gateway acts on the last one."""

    files: tuple[ManagedFile, ...]
    warnings: tuple[ConfigurationWarning, ...] = ()
    port_waiting: ConfigurationWarning | None = None

    @property
    def gateway_digest(self) -> str:
        """SHA-256 in hex of `ocserv.conf` alone, as the gateway names it."""
        return hashlib.sha256(self.files[-1].content).hexdigest()

    @property
    def digest(self) -> str:
        """SHA-256 in hex over all files: the name of this state."""
        return hashlib.sha256(b"\0".join(file.content for file in self.files)).hexdigest()


def wanted(document: Document, options: GatewayOptions, open_port: int | None = None) -> Wanted:
    """Judge and render a microsoftTunnelConfiguration.

    The container publishes only the port it was created with: while that is another one (`open_port`), the
    gateway goes on there, `port_waiting` says so, and `admin-settings.json` tells the monitor of the host
    which one is wanted. Raises TenantError `configuration-invalid` when it cannot be served.
    """
    configuration = ServerConfiguration.from_wire(document)
    settings = json_bytes(admin_settings(configuration))
    waiting = _waiting(configuration.listen_port, open_port)
    if waiting is not None and open_port is not None:
        configuration = replace(configuration, listen_port=open_port)
    text = ocserv_conf(configuration, options).encode()
    return Wanted(
        (
            ManagedFile(paths.ADMIN_SETTINGS, settings, 0o644),
            ManagedFile(paths.OCSERV_CONF, text, CONFIGURATION_MODE),
        ),
        configuration.warnings,
        waiting,
    )


def current(files: Files) -> Mapping[str, bytes | None]:
    """What the managed files hold now."""
    return {path: files.read(path) for path in (paths.ADMIN_SETTINGS, paths.OCSERV_CONF)}


def decide(present: Mapping[str, bytes | None], wish: Wanted) -> tuple[ManagedFile, ...]:
    """The files to write, in order; none when all are as wanted."""
    return tuple(file for file in wish.files if present.get(file.path) != file.content)


def open_port(present: Mapping[str, bytes | None]) -> int | None:
    """The port in use, which is the one that the container was created with; None before the first file."""
    return served_port(present.get(paths.OCSERV_CONF) or b"")


def write(files: Files, changes: tuple[ManagedFile, ...]) -> None:
    """Write the changed files; raises FileError."""
    for change in changes:
        files.write(change.path, change.content, change.mode)


def _waiting(wanted_port: int, open_port: int | None) -> ConfigurationWarning | None:
    if open_port in (None, wanted_port):
        return None
    return ConfigurationWarning(
        "listen-port-changed",
        f"the site wants port {wanted_port}, but the container publishes {open_port}, which goes on",
        "The monitor of the host starts the container anew within a minute; this ends the sessions.",
    )
