"""`ocserv.conf` from a server configuration, by a template. The same input always gives the same bytes."""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import DEBUG_LEVEL_INVALID, UsageError
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.errors import SETTINGS_UNREADABLE
from mstunnel_setup.io.files import Files

CONFIGURATION_MODE: Final = 0o644
"""Mode of `ocserv.conf`; it names keys and holds none."""

DEVICE_AUTHORITY: Final = f"{paths.CERTIFICATES}/device-ca.crt"
"""The authorities that issue the devices' certificates, for certificate authentication: PEM."""
DEVICE_REVOCATIONS: Final = f"{paths.CERTIFICATES}/device-ca.crl"
"""Which of these are revoked, where a list was given: PEM, which ocserv does not read after a list in DER."""

DEAD_END_NETWORK: Final = "fdb3:7c1e:94a2::/64"
"""Addresses for devices whose IPv6 traffic ends at the gateway: a unique local prefix (RFC 4193).

With such an address a device sends all IPv6 traffic into a full tunnel, and prefers IPv4 to it (RFC 6724,
section 6, rule 5). It is part of `configuration.OWN_NETWORKS`; `images/gateway/traffic-rules` forwards
nothing of it.
"""

_PORT: Final = re.compile(rb"^((?:tcp|udp)-port) = (\d{1,5})$", re.MULTILINE)
_SOCKET: Final = "/run/ocserv.socket"
_CONTROL_SOCKET: Final = "/run/occtl.socket"
# In the image: a record in the log for every session that begins or ends.
_SESSION_LOG: Final = "/usr/libexec/mstunnel/session-log"

# Defined by the image: the account of the workers, which parse untrusted input.
RUN_AS_USER: Final = "ocserv"
RUN_AS_GROUP: Final = "ocserv"
ISOLATE_WORKERS: Final = True

HIGHEST_LEVEL: Final = 4
"""Higher levels of ocserv log what users do (8 and 9)."""

HIGHEST_WITH_PASSWORDS: Final = 3
"""At level 4 ocserv logs what a client posts, the password among it."""

# Defaults, unless an advanced setting overrides them. Times are in seconds.
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
    # Each app of a managed device has a separate connection.
    "max-same-clients": "0",
    "rate-limit-ms": "100",
    # Many devices share the address of one office or mobile network.
    "ban-points-connection": "0",
}


class Authentication(StrEnum):
    """What devices present to the gateway."""

    OIDC = "oidc"
    CERTIFICATE = "certificate"
    RADIUS = "radius"

    @classmethod
    def _missing_(cls, value: object) -> "Authentication":
        raise UsageError(
            "authentication-unsupported",
            "unsupported authentication method {value}",
            hint="Use one of: {supported}.",
            value=value,
            supported=", ".join(cls),
        )


@dataclass(frozen=True)
class GatewayOptions:
    """Local options of a gateway.

    `debug_level` is `DEBUG_LEVEL` of `env.sh`, `certificate_too` whether a certificate is enough as well,
    `revocation_list` whether there is a list of revoked ones, and `proxy_protocol` whether every TCP
    connection begins with a header that names the device (PROXY protocol).
    """

    authentication: Authentication = Authentication.OIDC
    debug_level: int = 0
    certificate_too: bool = False
    revocation_list: bool = False
    proxy_protocol: bool = False

    @property
    def log_level(self) -> int:
        """What ocserv logs: no password, whatever is wanted."""
        highest = HIGHEST_WITH_PASSWORDS if self.authentication is Authentication.RADIUS else HIGHEST_LEVEL
        return min(self.debug_level, highest)

    @property
    def certificates(self) -> bool:
        """Whether a certificate lets a device in."""
        return self.certificate_too or self.authentication is Authentication.CERTIFICATE


def has_revocation_list(files: Files) -> bool:
    """Whether a list of the devices' revoked certificates was placed on this host."""
    return files.state(DEVICE_REVOCATIONS) is not None


def expects_proxy_protocol(files: Files) -> bool:
    """Whether balancers that speak the PROXY protocol were named on this host."""
    return files.state(paths.BALANCERS) is not None


def debug_level(value: str) -> int:
    """The value of `DEBUG_LEVEL`: 0 (default) to 4, capped there.

    Raises UsageError `debug-level-invalid` for anything but a whole number.
    """
    level = whole_number(value or "0")
    if level is None:
        raise DEBUG_LEVEL_INVALID(value=value, highest=HIGHEST_LEVEL)
    return min(level, HIGHEST_LEVEL)


def ocserv_conf(configuration: ServerConfiguration, options: GatewayOptions | None = None) -> str:
    """The text of `ocserv.conf`."""
    return rendering.render(
        "gateway/ocserv.conf",
        configuration=configuration,
        options=options or GatewayOptions(),
        oidc=paths.OIDC_JSON,
        radius_client=paths.RADIUS_CLIENT,
        # A link that is switched atomically, so key and chain always belong together.
        identity=paths.ACTIVE,
        balancers=paths.BALANCERS,
        device_authority=DEVICE_AUTHORITY,
        device_revocations=DEVICE_REVOCATIONS,
        socket=_SOCKET,
        session_log=_SESSION_LOG,
        control_socket=_CONTROL_SOCKET,
        dead_end_network=DEAD_END_NETWORK,
        settings=sorted({**_DEFAULTS, **dict(configuration.advanced_settings)}.items()),
        run_as_user=RUN_AS_USER,
        run_as_group=RUN_AS_GROUP,
        isolate_workers=ISOLATE_WORKERS,
    )


def served_port(configuration: bytes) -> int | None:
    """The port in the text of an `ocserv.conf`; None when it names none."""
    found = _PORT.search(configuration)
    return whole_number(found[2].decode()) if found else None


def with_port(configuration: bytes, port: int) -> bytes:
    """The text of an `ocserv.conf` with another port, the same for TCP and UDP."""
    return _PORT.sub(rb"\1 = %d" % port, configuration)


def served_proxy_protocol(configuration: bytes) -> bool:
    """Whether a gateway with this text of `ocserv.conf` expects the PROXY protocol."""
    return b"listen-proxy-proto = true" in configuration.splitlines()


def port_in_use(files: Files) -> int:
    """The port in use on this host: the one in `ocserv.conf`, which the gateway's container publishes.

    The tenant may want another (`admin-settings.json`) until the host has re-created the container, because a
    container publishes only the ports that it was created with. Raises StepError `settings-unreadable`.
    """
    port = served_port(files.read(paths.OCSERV_CONF) or b"")
    if port is None:
        raise SETTINGS_UNREADABLE(path=paths.OCSERV_CONF, reason=text("it contains no port"))
    return port
