"""The gateway's two files, rendered from a server configuration, for installer and monitor.

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
"""Keys of `ocserv.conf` that a reload does not apply: `images/gateway/entrypoint` has the same list."""


@dataclass(frozen=True)
class RenderedConfiguration:
    """A rendered server configuration: the content of `admin-settings.json` and of `ocserv.conf`.

    `port_waiting` is set while the port in use differs from the wanted one, which is in `settings`.
    """

    settings: JsonObject
    text: str
    warnings: tuple[Problem, ...] = ()
    port_waiting: Problem | None = None

    @property
    def files(self) -> Mapping[str, bytes]:
        """Content by path, in the order to write them: the gateway acts on the last one."""
        return {paths.ADMIN_SETTINGS: json_bytes(self.settings), paths.OCSERV_CONF: self.text.encode()}

    @property
    def digest(self) -> str:
        """SHA-256 in hex over both files: the name of this state."""
        return hashlib.sha256(b"\0".join(self.files.values())).hexdigest()


def render(
    configuration: ServerConfiguration, options: GatewayOptions, open_port: int | None = None, level: int = 0
) -> RenderedConfiguration:
    """Render a validated configuration.

    The container publishes only the port it was created with: while that is another one (`open_port`), the
    gateway stays there, and `admin-settings.json` has the wanted port.
    """
    waiting = port_waiting(configuration.listen_port, open_port)
    served = (
        configuration if open_port is None else configuration.model_copy(update={"listen_port": open_port})
    )
    return RenderedConfiguration(
        admin_settings(configuration), ocserv_conf(served, options, level), configuration.warnings, waiting
    )


def current(files: Files) -> Mapping[str, bytes | None]:
    """The current content of the two files."""
    return {path: files.read(path) for path in (paths.ADMIN_SETTINGS, paths.OCSERV_CONF)}


def changes(present: Mapping[str, bytes | None], wanted: Mapping[str, bytes]) -> Mapping[str, bytes]:
    """The files to write, in order; none when all match."""
    return {path: content for path, content in wanted.items() if present.get(path) != content}


def write(files: Files, wanted: Mapping[str, bytes]) -> None:
    """Write the files; raises FileError."""
    for path, content in wanted.items():
        files.write(path, content, CONFIGURATION_MODE)


def open_port(present: Mapping[str, bytes | None]) -> int | None:
    """The port in use, which is the one that the container was created with; None before the first file."""
    return served_port(present.get(paths.OCSERV_CONF) or b"")


def needs_restart(before: bytes, after: bytes) -> bool:
    """Whether ocserv has to be restarted, which ends the sessions, to serve `after` in place of `before`."""
    keys = {key.encode() for key in RESTART_KEYS}
    old, new = (
        sorted(line for line in text.splitlines() if line.partition(b"=")[0].strip() in keys)
        for text in (before, after)
    )
    return old != new


def port_waiting(wanted: int, open_port: int | None) -> Problem | None:
    """The warning that the gateway still uses another port than the wanted one, or None."""
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
    """The object of `admin-settings.json`. Source of its keys: docs/reference (env and paths, section 3)."""
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
    """The object in `admin-settings.json`; None without a file. Raises StepError `settings-unreadable`."""
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
    """The port that `admin-settings.json` on this host names. Raises StepError `settings-unreadable`."""
    port = whole_number(str((read_admin_settings(files) or {}).get("ListenPort")))
    if port is None:
        raise SETTINGS_UNREADABLE(path=paths.ADMIN_SETTINGS, reason=text("it contains no port"))
    return port


def _strings(values: Iterable[object]) -> list[JsonValue]:
    return [str(value) for value in values]
