"""Keeps the gateway's files in step with the server configuration in the tenant.

The gateway's container notices a new `ocserv.conf` by itself, has ocserv test it, and reloads.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mstunnel_setup import paths
from mstunnel_setup.engine.file_actions import json_bytes
from mstunnel_setup.gateway.admin_settings import admin_settings
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.fields import Document
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE, GatewayOptions, ocserv_conf
from mstunnel_setup.gateway.warning import ConfigurationWarning
from mstunnel_setup.host.files import Files

_PORT: Final = re.compile(rb"^tcp-port = (\d+)$", re.MULTILINE)


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

    @property
    def digest(self) -> str:
        """SHA-256 in hex over all files: the name of this state."""
        return hashlib.sha256(b"\0".join(file.content for file in self.files)).hexdigest()


def wanted(document: Document, options: GatewayOptions) -> Wanted:
    """Judge and render a microsoftTunnelConfiguration.

    Raises TenantError `configuration-invalid` when it cannot be served.
    """
    configuration = ServerConfiguration.from_wire(document)
    settings = json_bytes(admin_settings(configuration))
    text = ocserv_conf(configuration, options).encode()
    return Wanted(
        (
            ManagedFile(paths.ADMIN_SETTINGS, settings, 0o644),
            ManagedFile(paths.OCSERV_CONF, text, CONFIGURATION_MODE),
        ),
        configuration.warnings,
    )


def current(files: Files) -> Mapping[str, bytes | None]:
    """What the managed files hold now."""
    return {path: files.read(path) for path in (paths.ADMIN_SETTINGS, paths.OCSERV_CONF)}


def decide(present: Mapping[str, bytes | None], wish: Wanted) -> tuple[ManagedFile, ...]:
    """The files to write, in order; none when all are as wanted."""
    return tuple(file for file in wish.files if present.get(file.path) != file.content)


def port_changed(present: Mapping[str, bytes | None], wish: Wanted) -> ConfigurationWarning | None:
    """The warning that a new port is not open yet: containers publish the port they were created with."""
    before, after = (_port(content) for content in (present.get(paths.OCSERV_CONF), wish.files[-1].content))
    if before is None or after is None or before == after:
        return None
    return ConfigurationWarning(
        "listen-port-changed",
        f"the server port has changed from {before} to {after}, which the container does not publish yet",
        "Run mstunnel-setup on the host again.",
    )


def write(files: Files, changes: tuple[ManagedFile, ...]) -> None:
    """Write the changed files; raises FileError."""
    for change in changes:
        files.write(change.path, change.content, change.mode)


def _port(content: bytes | None) -> int | None:
    found = _PORT.search(content or b"")
    return int(found[1]) if found else None
