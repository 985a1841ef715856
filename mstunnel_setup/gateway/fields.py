"""Readers of single properties of a server configuration, which refuse invalid values.

The values end up in `ocserv.conf`, a line-oriented file, so each one is parsed and formatted again: no text
of the tenant is copied there.
"""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeVar

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import quoted, text


class PropertyError(TenantError):
    """An invalid property of a server configuration: why, and how to fix it."""

    reason = ""
    advice = ""


Document = Mapping[str, object]
Network = IPv4Network | IPv6Network
Item = TypeVar("Item")

_PLACE: Final = "Tenant administration > Microsoft Tunnel Gateway > Server configurations"
_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    r"(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
_CIDR: Final = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")
_PORTS: Final = range(1, 65536)

# Names of the settings in the admin center; the others can be set through Graph only.
_LABELS: Final[Mapping[str, str]] = {
    "displayName": text("Name"),
    "description": text("Description"),
    "network": text("IP address range"),
    "listenPort": text("Server port"),
    "dnsServers": text("DNS servers"),
    "defaultDomainSuffix": text("DNS suffix search"),
    "disableUdpConnections": text("Disable UDP Connections"),
    "routeIncludes": text("IP ranges to include"),
    "routeExcludes": text("IP ranges to exclude"),
}


def invalid(field: str, value: object, reason: str, advice: str) -> PropertyError:
    """The error for an invalid property: its name and value, why, and how to fix it."""
    label = _LABELS.get(field)
    place = (
        text("In the admin center, under {place}, change “{label}”", place=_PLACE, label=label)
        if label
        else text("With Microsoft Graph, change {field}", field=field)
    )
    error = PropertyError(
        "configuration-invalid",
        "the server configuration has {field} = {value}: {reason}",
        hint="{place}: {advice}",
        field=field,
        value=quoted(value),
        reason=reason,
        place=place,
        advice=advice,
    )
    error.reason, error.advice = reason, advice
    return error


def text_of(document: Document, field: str) -> str:
    """A string property without control characters, stripped; empty when it is not set."""
    value = document.get(field)
    return "" if value is None else _line(field, value)


def prose(document: Document, field: str) -> str:
    """A string property that may have several lines, which are joined; for JSON files only."""
    value = document.get(field)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise invalid(field, value, "it is not a text", "write a text.")
    return " ".join("".join(" " if _breaks_lines(c) else c for c in value).split())


def flag(document: Document, field: str) -> bool:
    """A boolean property; false when it is not set."""
    value = document.get(field)
    if value is None:
        return False
    if not isinstance(value, bool):
        raise invalid(field, value, "it is neither true nor false", "switch it on or off.")
    return value


def port(document: Document, field: str, default: int) -> int:
    """A TCP and UDP port; `default` when it is not set."""
    value = document.get(field)
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value not in _PORTS:
        raise invalid(field, value, "it is not a port", "write a number from 1 to 65535, usually 443.")
    return value


def items(
    document: Document, fields: Iterable[str], read: Callable[[str, str], Item], most: int | None = None
) -> tuple[Item, ...]:
    """A list property of at most `most` entries, every entry read by `read(field, entry)`.

    `fields` are the names it may have, the preferred one first; the first that is not empty is used.
    """
    for field in fields:
        value = document.get(field)
        if not value:
            continue
        if not isinstance(value, list | tuple):
            raise invalid(field, value, "it is not a list", "write a list.")
        if most is not None and len(value) > most:
            found = f"{len(value)} entries"
            raise invalid(field, found, "it is too long", f"write at most {most} entries.")
        return tuple(dict.fromkeys(read(field, _line(field, entry)) for entry in value))
    return ()


def network(field: str, value: str) -> Network:
    """An IPv4 or IPv6 network in CIDR form; host bits are cleared."""
    try:
        if _CIDR.fullmatch(value):
            return ip_network(value, strict=False)
    except ValueError:
        pass
    raise invalid(
        field, value, "it is not a network in CIDR form", "write address/prefix length, such as 10.1.0.0/16."
    )


def route(field: str, value: str) -> Network:
    """A split tunnelling rule: a network, but not the one for all addresses."""
    found = network(field, value)
    if found.network_address.is_unspecified:
        raise invalid(
            field,
            value,
            "ranges that start at the zero address are not allowed as rules",
            "remove it; without rules to include, all traffic goes through the tunnel.",
        )
    return found


def address(field: str, value: str) -> str:
    """An IP address of one host, in its usual spelling."""
    try:
        # A zone after % is free text and has no meaning on another machine.
        found = None if "%" in value else ip_address(value)
    except ValueError:
        found = None
    if found is None or found.is_unspecified or found.is_multicast:
        raise invalid(
            field, value, "it is not the IP address of a server", "write an address such as 10.1.0.53."
        )
    return str(found)


def domain(field: str, value: str) -> str:
    """A domain name in ASCII form, without a final dot."""
    name = value.removesuffix(".")
    if not _DOMAIN.fullmatch(name):
        raise invalid(
            field,
            value,
            "it is not a domain name",
            "write a name such as corp.contoso.com; names with other letters in their xn-- form.",
        )
    return name


def _breaks_lines(character: str) -> bool:
    """Control characters, line and paragraph separators, and halves of surrogate pairs (UTF-8 has none)."""
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def _line(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise invalid(field, value, "it is not a text", "write a text.")
    if any(map(_breaks_lines, value)):
        raise invalid(field, value, "it contains control characters or line breaks", "write it on one line.")
    return value.strip()


_LARGEST: Final = 2**31 - 1

MOST_DRAIN_SECONDS: Final = 60
"""How long a gateway that is stopped may let its sessions go on (`server-drain-ms`)."""

_SECONDS: Final = (
    *("auth-timeout", "ban-reset-time", "cookie-timeout", "dpd", "idle-timeout", "keepalive"),
    *("min-reauth-time", "mobile-dpd", "mobile-idle-timeout", "rekey-time", "session-timeout"),
    *("stats-report-time", "switch-to-tcp-timeout"),
)
_COUNTS: Final = (
    *("ban-points-connection", "ban-points-wrong-password", "max-ban-score", "max-clients"),
    *("max-same-clients", "output-buffer", "rate-limit-ms", "rx-data-per-sec", "tx-data-per-sec"),
)
NUMBERS: Final[Mapping[str, range]] = {
    **dict.fromkeys((*_SECONDS, *_COUNTS), range(_LARGEST)),
    "mtu": range(576, 16385),
    "server-drain-ms": range(1000 * MOST_DRAIN_SECONDS + 1),
}
"""Settings that are whole numbers, with their ranges."""

SWITCHES: Final = frozenset(
    (
        *("client-bypass-protocol", "compression", "deny-roaming", "dtls-legacy", "persistent-cookies"),
        *("ping-leases", "predictable-ips", "try-mtu-discovery", "tunnel-all-dns"),
    )
)
"""Settings that are true or false."""


def read_advanced(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], tuple[Problem, ...]]:
    """The settings that are passed on, by name, and a warning for each that is not.

    The last value of a name is used. Raises PropertyError for an invalid value.
    """
    settings: dict[str, str] = {}
    warnings: list[Problem] = []
    for name, value in pairs:
        if name not in NUMBERS and name not in SWITCHES:
            supported = ", ".join(sorted({*NUMBERS, *SWITCHES}))
            warnings.append(
                warning(
                    "advanced-setting-ignored",
                    "the advanced setting {name} of the server configuration has no effect",
                    hint="Remove it, or use one of: {supported}.",
                    name=quoted(name),
                    supported=supported,
                )
            )
            continue
        if name in settings:
            warnings.append(
                warning(
                    "advanced-setting-repeated",
                    "the server configuration has the advanced setting {name} more than once; the last "
                    "value is used",
                    hint="Remove the others with Microsoft Graph.",
                    name=name,
                )
            )
        settings[name] = _advanced(name, value)
    return dict(sorted(settings.items())), tuple(warnings)


def _advanced(name: str, value: str) -> str:
    field = f"advancedSettings {name}"
    if name in SWITCHES:
        words = {"true": "true", "yes": "true", "false": "false", "no": "false"}
        if value.lower() in words:
            return words[value.lower()]
        raise invalid(field, value, "it is neither true nor false", "write true or false.")
    allowed, number = NUMBERS[name], whole_number(value, len(str(_LARGEST)))
    if number is not None and number in allowed:
        return str(number)
    advice = f"write a whole number from {allowed.start} to {allowed.stop - 1}."
    raise invalid(field, value, "it is not a number in the allowed range", advice)
