"""Rendering of the gateway's two files from a server configuration, for installer and monitor.

The gateway's container notices a new `ocserv.conf`, tests it with ocserv, and reloads.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from mstunnel_setup.base import paths
from mstunnel_setup.base.parsing import json_value, whole_number
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue, json_bytes
from mstunnel_setup.gateway.configuration import EVERYTHING, ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE, ocserv_conf, served_port
from mstunnel_setup.gateway.options import SETTINGS_UNREADABLE, GatewayOptions
from mstunnel_setup.io.files import Files

RESTART_KEYS: Final = (
    *("tcp-port", "udp-port", "listen-host"),
    *("ipv4-network", "ipv4-netmask", "ipv4-subnet-prefix"),
    *("ipv6-network", "ipv6-netmask", "ipv6-subnet-prefix"),
    *("device", "auth", "enable-auth", "socket-file", "occtl-socket-file", "log-level"),
)
"""Keys of `ocserv.conf` that need a restart; `images/gateway/entrypoint` has the same list."""


@dataclass(frozen=True)
class RenderedConfiguration:
    """A rendered server configuration: the content of `admin-settings.json` and of `ocserv.conf`.

    `port_waiting` is set while the port in use differs from the configured one, which is in `settings`.
    """

    settings: JsonObject
    text: str
    warnings: tuple[Problem, ...] = ()
    port_waiting: Problem | None = None

    @property
    def files(self) -> Mapping[str, bytes]:
        """The contents by path in the order of writing; the gateway reacts to the last one."""
        return {paths.ADMIN_SETTINGS: json_bytes(self.settings), paths.OCSERV_CONF: self.text.encode()}

    @property
    def digest(self) -> str:
        """The SHA-256 of both files in hex, which identifies this configuration."""
        return hashlib.sha256(b"\0".join(self.files.values())).hexdigest()


def render(
    configuration: ServerConfiguration, options: GatewayOptions, open_port: int | None = None, level: int = 0
) -> RenderedConfiguration:
    """Render a validated configuration.

    The container publishes only the port it was created with (`open_port`). If that differs, the gateway
    keeps it, and `admin-settings.json` has the configured port.
    """
    waiting = port_waiting(configuration.listen_port, open_port)
    served = (
        configuration if open_port is None else configuration.model_copy(update={"listen_port": open_port})
    )
    return RenderedConfiguration(
        admin_settings(configuration), ocserv_conf(served, options, level), configuration.warnings, waiting
    )


def current(files: Files) -> Mapping[str, bytes | None]:
    """Return the current content of the two files."""
    return {path: files.read(path) for path in (paths.ADMIN_SETTINGS, paths.OCSERV_CONF)}


def changes(present: Mapping[str, bytes | None], wanted: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """Return the files to write, in order; empty if all match."""
    return {path: content for path, content in wanted.items() if present.get(path) != content}


def write(files: Files, wanted: Mapping[str, bytes]) -> None:
    """Write the files. Raises FileError."""
    for path, content in wanted.items():
        files.write(path, content, CONFIGURATION_MODE)


def open_port(present: Mapping[str, bytes | None]) -> int | None:
    """Return the port in use, with which the container was created; None before the first file."""
    return served_port(present.get(paths.OCSERV_CONF) or b"")


def needs_restart(before: bytes, after: bytes) -> bool:
    """Return whether changing `before` to `after` needs a restart of ocserv, which ends all sessions."""
    keys = {key.encode() for key in RESTART_KEYS}
    old, new = (
        sorted(line for line in text.splitlines() if line.partition(b"=")[0].strip() in keys)
        for text in (before, after)
    )
    return old != new


def port_waiting(wanted: int, open_port: int | None) -> Problem | None:
    """Return the warning that the gateway still uses another port than the configured one, or None."""
    if open_port in (None, wanted):
        return None
    return warning(
        "listen-port-changed",
        "the site is configured for port {wanted}, but the container still publishes port {published}",
        hint="Wait a minute: the monitor of the host re-creates the container. This ends the sessions.",
        wanted=wanted,
        published=open_port,
    )


def admin_settings(configuration: ServerConfiguration) -> JsonObject:
    """Return the object of `admin-settings.json` (docs/reference, env and paths, section 3)."""
    return {
        "PolicyName": configuration.policy_id,
        "DisplayName": configuration.display_name,
        "Description": configuration.description,
        "Network": str(configuration.network),
        "DNSServers": _strings(configuration.dns_servers),
        "DefaultDomainSuffix": configuration.default_domain_suffix,
        "RoutesInclude": _strings(configuration.routes_include) or [EVERYTHING],
        "RoutesExclude": _strings(configuration.routes_exclude),
        "ListenPort": configuration.listen_port,
    }


def read_admin_settings(files: Files) -> JsonObject | None:
    """Read `admin-settings.json`; return None without a file. Raises StepError `settings-unreadable`."""
    content = files.read(paths.ADMIN_SETTINGS)
    if content is None:
        return None
    try:
        found = json_value(content)
    except ValueError as error:
        raise SETTINGS_UNREADABLE(path=paths.ADMIN_SETTINGS, reason=text("it is not JSON")) from error
    if not isinstance(found, dict):
        raise SETTINGS_UNREADABLE(path=paths.ADMIN_SETTINGS, reason=text("it is not a JSON object"))
    return found


def listen_port(files: Files) -> int:
    """Return the port in `admin-settings.json` of this host. Raises StepError `settings-unreadable`."""
    port = whole_number(str((read_admin_settings(files) or {}).get("ListenPort")))
    if port is None:
        raise SETTINGS_UNREADABLE(path=paths.ADMIN_SETTINGS, reason=text("it contains no port"))
    return port


def _strings(values: Iterable[object]) -> list[JsonValue]:
    return [str(value) for value in values]
