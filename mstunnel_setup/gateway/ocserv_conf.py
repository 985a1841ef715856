"""Rendering of `ocserv.conf` from a server configuration, and parsing of its port, log level and networks.

The same input always gives the same bytes.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, IPv6Address, ip_network
from typing import Final, Literal, TypeAlias

from pydantic import AwareDatetime, BaseModel, Field

from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import DEBUG_LEVEL_INVALID
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.gateway.configuration import EVERYTHING, ServerConfiguration
from mstunnel_setup.gateway.fields import Network
from mstunnel_setup.gateway.options import (
    SETTINGS_UNREADABLE,
    GatewayOptions,
    served_settings,
)
from mstunnel_setup.io import messages
from mstunnel_setup.io.files import Files

CONFIGURATION_MODE: Final = 0o644
"""Mode of `ocserv.conf`, which refers to key files but contains no key."""

DEVICE_AUTHORITY: Final = f"{paths.CERTIFICATES}/device-ca.crt"
"""The authorities that issue device certificates, in PEM."""
DEVICE_REVOCATIONS: Final = f"{paths.CERTIFICATES}/device-ca.crl"
"""The optional revocation list for device certificates, in PEM: ocserv cannot switch from DER to PEM."""

DEAD_END_NETWORK: Final = "fdb3:7c1e:94a2::/64"
"""Addresses of devices whose IPv6 traffic the gateway rejects: a unique local prefix (RFC 4193).

With such an address a device sends all IPv6 traffic into a full tunnel, and prefers IPv4 (RFC 6724,
section 6, rule 5). The prefix is part of `configuration.OWN_NETWORKS`; `images/gateway/traffic-rules`
forwards no traffic from it.
"""

_PORT: Final = re.compile(rb"^((?:tcp|udp)-port) = \d{1,5}$", re.MULTILINE)
HIGHEST_LEVEL: Final = 4
"""The highest log level of ocserv that does not log the activity of users, as 8 and 9 do."""

# These are the defaults of settings that an advanced setting can override. Times are in seconds.
_DEFAULTS: Final = {
    "session-timeout": "3600",
    "auth-timeout": "240",
    "cookie-timeout": "300",
    "keepalive": "300",
    "dpd": "60",
    "mobile-dpd": "300",
    "switch-to-tcp-timeout": "25",
    "try-mtu-discovery": "true",
    "compression": "false",
    "max-clients": "0",
    # Each app of a managed device has a separate connection, so one user needs many.
    "max-same-clients": "0",
    "rate-limit-ms": "100",
    # Many devices share the address of one office or mobile network, so a ban would hit all of them.
    "ban-points-connection": "0",
}


def debug_level(value: str) -> int:
    """Return the value of `DEBUG_LEVEL`: 0 (default) to 4; higher values become 4.

    Raises UsageError `debug-level-invalid` for anything but a whole number.
    """
    level = whole_number(value or "0")
    if level is None:
        raise DEBUG_LEVEL_INVALID(value=value, highest=HIGHEST_LEVEL)
    return min(level, HIGHEST_LEVEL)


def ocserv_conf(
    configuration: ServerConfiguration, options: GatewayOptions | None = None, level: int = 0
) -> str:
    """Return the text of `ocserv.conf`."""
    options = options or GatewayOptions()
    return rendering.render(
        "gateway/ocserv.conf",
        configuration=configuration,
        options=options,
        log_level=level,
        oidc=paths.OIDC_JSON,
        # Both paths go through one symbolic link that is switched atomically, so key and chain always match.
        identity=paths.ACTIVE,
        balancers=paths.BALANCERS,
        device_authority=DEVICE_AUTHORITY,
        device_revocations=DEVICE_REVOCATIONS,
        dead_end_network=DEAD_END_NETWORK,
        settings=sorted({**_DEFAULTS, **configuration.advanced_settings}.items()),
    )


def served_port(configuration: bytes) -> int | None:
    """Return the port in the text of an `ocserv.conf`, or None if it has none."""
    served = served_settings(configuration)
    return whole_number((served.get("tcp-port") or served.get("udp-port") or [""])[0], 5)


def with_port(configuration: bytes, port: int) -> bytes:
    """Return the text of an `ocserv.conf` with another port, the same for TCP and UDP."""
    return _PORT.sub(rb"\1 = %d" % port, configuration)


def served_proxy_protocol(configuration: bytes) -> bool:
    """Return whether a gateway with this `ocserv.conf` expects the PROXY protocol."""
    return served_settings(configuration).get("listen-proxy-proto") == ["true"]


def gateway_port(files: Files) -> int:
    """Return the port of the gateway on this host: that of `ocserv.conf`, which its container publishes.

    The tenant may have set another (`admin-settings.json`). It applies once the host has re-created the
    container, which publishes only the ports it was created with. Raises StepError `settings-unreadable`.
    """
    port = served_port(files.read(paths.OCSERV_CONF) or b"")
    if port is None:
        raise SETTINGS_UNREADABLE(path=paths.OCSERV_CONF, reason=text("it contains no port"))
    return port


# The log level is `DEBUG_LEVEL` of `env.sh`. It is the highest one if `mst_verbose_log=true` is set there, or
# while the verbose mode is on, which is a file next to `env.sh` with an expiry time.

VERBOSE_HOURS: Final = 8
"""Duration of the verbose mode, the same as in the admin center (docs/reference, monitoring)."""

_VERBOSE_SETTINGS: Final = ("mst_verbose_log", "mst_log_verbose")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_LEVEL: Final = re.compile(rb"^log-level = \d{1,5}$", re.MULTILINE)


class _Verbose(BaseModel, frozen=True, extra="forbid", defer_build=True):
    version: Literal[1] = 1
    level: int = Field(ge=0, le=HIGHEST_LEVEL)
    until: AwareDatetime


@dataclass(frozen=True)
class LogLevel:
    """The current log level; `until` is the end of the verbose mode, `usual` the level without it."""

    level: int
    usual: int
    until: datetime | None = None


def log_level(files: Files, settings: Mapping[str, str], now: datetime) -> LogLevel:
    """Return the log level at `now`; `settings` are those of `env.sh`. Raises UsageError if it is invalid."""
    usual = HIGHEST_LEVEL if is_verbose(settings) else debug_level(settings.get("DEBUG_LEVEL", ""))
    # A damaged file, or one of a newer release, is ignored, so that it cannot stop the gateway.
    verbose = messages.read_trusted(files, paths.LOG_LEVEL, _Verbose)
    if verbose is None or verbose.until <= now:
        return LogLevel(usual, usual)
    return LogLevel(max(verbose.level, usual), usual, verbose.until)


def is_verbose(settings: Mapping[str, str]) -> bool:
    """Return whether `env.sh` sets verbose logging, under either of the vendor's two names."""
    return any(settings.get(name, "").lower() in _TRUE for name in _VERBOSE_SETTINGS)


def served_level(configuration: bytes) -> int | None:
    """Return the log level in the text of an `ocserv.conf`, or None if it has none."""
    return whole_number(served_settings(configuration).get("log-level", [""])[0], 5)


def with_level(configuration: bytes, level: int) -> bytes:
    """Return the text of an `ocserv.conf` with another log level."""
    return _LEVEL.sub(b"log-level = %d" % level, configuration)


def begin_verbose(files: Files, until: datetime) -> None:
    """Log at the highest level until `until`."""
    content = _Verbose(level=HIGHEST_LEVEL, until=until).model_dump_json()
    files.write(paths.LOG_LEVEL, f"{content}\n".encode(), 0o644)


Address: TypeAlias = IPv4Address | IPv6Address


@dataclass(frozen=True)
class TunnelSettings:
    """The networks and name servers of a tunnel; `pools` has the device addresses.

    Empty `includes` means all traffic. `session_timeout` is in seconds, 0 for none.
    """

    port: int
    by_token: bool
    pools: tuple[Network, ...]
    dns_servers: tuple[str, ...] = ()
    split_dns: tuple[str, ...] = ()
    includes: tuple[Network, ...] = ()
    excludes: tuple[Network, ...] = ()
    udp: bool = True
    session_timeout: int = 0

    def route_to(self, address: Address) -> Network | None:
        """Return the range by which devices send packets for `address` into the tunnel, or None."""
        if self.excluded_by(address):
            return None
        if not self.includes:
            return ip_network("0.0.0.0/0" if isinstance(address, IPv4Address) else "::/0")
        return next((network for network in self.includes if address in network), None)

    def excluded_by(self, address: Address) -> Network | None:
        """Return the excluded range that contains `address`, or None."""
        return next((network for network in self.excludes if address in network), None)

    def is_of_device(self, address: Address) -> bool:
        """Return whether `address` is in a pool of device addresses."""
        return any(address in network for network in self.pools)

    def asks_for(self, name: str) -> bool:
        """Return whether devices resolve `name` with the DNS servers of the tunnel."""
        if not self.dns_servers:
            return False
        lower = name.lower().rstrip(".")
        domains = [domain.lower().strip(".") for domain in self.split_dns]
        return not domains or any(lower == domain or lower.endswith(f".{domain}") for domain in domains)


def read_tunnel_settings(configuration: bytes) -> TunnelSettings | None:
    """Parse the tunnel settings of an `ocserv.conf`; return None if it is foreign or damaged."""
    settings = served_settings(configuration)
    try:
        devices = f"{settings['ipv4-network'][0]}/{settings['ipv4-netmask'][0]}"
        devices_6 = (network for network in settings.get("ipv6-network", ()) if network != DEAD_END_NETWORK)
        return TunnelSettings(
            port=int(settings["tcp-port"][0]),
            by_token=settings["auth"][0].startswith("oidc"),
            pools=tuple(map(ip_network, (devices, *devices_6))),
            dns_servers=tuple(settings.get("dns", ())),
            split_dns=tuple(settings.get("split-dns", ())),
            includes=tuple(ip_network(route) for route in settings.get("route", ()) if route != EVERYTHING),
            excludes=tuple(map(ip_network, settings.get("no-route", ()))),
            udp="udp-port" in settings,
            session_timeout=int(settings.get("session-timeout", ["0"])[0]),
        )
    except (KeyError, ValueError):
        return None
