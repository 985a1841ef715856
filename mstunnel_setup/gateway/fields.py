"""The types of the properties of a server configuration.

The values are written to `ocserv.conf`, a line-oriented file, so each is parsed and formatted again and no
text of the tenant is copied. Each function validates one value and raises PropertyError if it is invalid.
"""

import re
import unicodedata
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Annotated, Final, TypeAlias, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationInfo,
    field_validator,
    model_validator,
)

from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.text import text


class PropertyError(ValueError):
    """An error about an invalid value of a property, with reason and hint.

    `field` and `value` are set if they differ from the property and value that pydantic validates.
    """

    def __init__(self, reason: str, advice: str, *, field: str = "", value: object = None) -> None:
        super().__init__(reason)
        self.reason, self.advice = reason, advice
        self.field, self.value = field, value


Network: TypeAlias = IPv4Network | IPv6Network
Item = TypeVar("Item")

_DOMAIN: Final = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
    r"(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*"
)
_CIDR: Final = re.compile(r"[0-9A-Fa-f:.]+/[0-9]{1,3}")


def one_line(value: object) -> str:
    """Return a text without control characters, stripped."""
    line = _text(value)
    if any(map(_breaks_lines, line)):
        raise PropertyError(
            text("it contains control characters or line breaks"), text("write it on one line.")
        )
    return line.strip()


def joined_lines(value: object) -> str:
    """Return a text with its line breaks replaced; for JSON files only."""
    return " ".join("".join(" " if _breaks_lines(c) else c for c in _text(value)).split())


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise PropertyError(text("it is not a text"), text("write a text."))
    return value


def _breaks_lines(character: str) -> bool:
    """Return whether a character is a control, a line or paragraph separator, or a lone surrogate."""
    return unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}


def network(value: str) -> Network:
    """Return an IPv4 or IPv6 network in CIDR form; host bits are cleared."""
    try:
        if _CIDR.fullmatch(value):
            return ip_network(value, strict=False)
    except ValueError:
        pass
    raise PropertyError(
        text("it is not a network in CIDR form"),
        text("write address/prefix length, such as 10.1.0.0/16."),
    )


def route(value: str) -> Network:
    """Return a split tunnelling rule: a network, but not the one for all addresses."""
    found = network(value)
    if found.network_address.is_unspecified:
        raise PropertyError(
            text("ranges that start at the zero address are not allowed as rules"),
            text("remove it; without rules to include, all traffic goes through the tunnel."),
        )
    return found


def address(value: str) -> str:
    """Return the IP address of one host, in its usual spelling."""
    try:
        # An IPv6 zone after % is free text and has no meaning on another machine.
        found = None if "%" in value else ip_address(value)
    except ValueError:
        found = None
    if found is None or found.is_unspecified or found.is_multicast:
        raise PropertyError(
            text("it is not the IP address of a server"), text("write an address such as 10.1.0.53.")
        )
    return str(found)


def domain(value: str) -> str:
    """Return a domain name in ASCII form, without a final dot."""
    name = value.removesuffix(".")
    if not _DOMAIN.fullmatch(name):
        raise PropertyError(
            text("it is not a domain name"),
            text("write a name such as corp.contoso.com; names with other letters in their xn-- form."),
        )
    return name


def at_most(most: int) -> BeforeValidator:
    """Raise PropertyError for a list of more than `most` entries, before any entry is parsed."""

    def check(value: object) -> object:
        if isinstance(value, list | tuple) and len(value) > most:
            raise PropertyError(
                text("it is too long"),
                text("write at most {most} entries.", most=most),
                value=f"{len(value)} entries",
            )
        return value

    return BeforeValidator(check)


def _without_repetitions(entries: tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(dict.fromkeys(entries))


# Pydantic runs the last "before" validator first, so values are checked for line breaks before anything else.
Line: TypeAlias = Annotated[str, BeforeValidator(one_line)]
Prose: TypeAlias = Annotated[str, BeforeValidator(joined_lines)]
Address: TypeAlias = Annotated[str, BeforeValidator(address), BeforeValidator(one_line)]
Domain: TypeAlias = Annotated[str, BeforeValidator(domain), BeforeValidator(one_line)]
Route: TypeAlias = Annotated[Network, BeforeValidator(route), BeforeValidator(one_line)]
Distinct: TypeAlias = Annotated[tuple[Item, ...], AfterValidator(_without_repetitions)]


_LARGEST: Final = 2**31 - 1

MOST_DRAIN_SECONDS: Final = 60
"""The longest time for which a stopping gateway keeps its sessions (`server-drain-ms`)."""

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
"""Advanced settings that are whole numbers, with their ranges."""

SWITCHES: Final = frozenset(
    (
        *("client-bypass-protocol", "compression", "deny-roaming", "dtls-legacy", "persistent-cookies"),
        *("ping-leases", "predictable-ips", "try-mtu-discovery", "tunnel-all-dns"),
    )
)
"""Advanced settings that are true or false."""
_WORDS: Final = {"true": "true", "yes": "true", "false": "false", "no": "false"}


class Properties(BaseModel, frozen=True, extra="ignore", defer_build=True):
    """An object in Graph's format, where null means that a property is not set."""

    @model_validator(mode="before")
    @classmethod
    def _without_null(cls, document: object) -> object:
        if not isinstance(document, Mapping):
            return document
        return {name: value for name, value in document.items() if value is not None}


class AdvancedSetting(Properties, frozen=True):
    """An advanced setting by its ocserv name; one without effect may have any one-line value."""

    name: Line = ""
    value: Line = Field(default="", validate_default=True)

    @property
    def has_effect(self) -> bool:
        """Return whether it is written to `ocserv.conf`."""
        return self.name in NUMBERS or self.name in SWITCHES

    @field_validator("value")
    @classmethod
    def _usual_spelling(cls, value: str, info: ValidationInfo) -> str:
        name = info.data.get("name", "")
        field = f"advancedSettings {name}"
        if name in SWITCHES:
            if value.lower() in _WORDS:
                return _WORDS[value.lower()]
            raise PropertyError(
                text("it is neither true nor false"), text("write true or false."), field=field
            )
        if name in NUMBERS:
            allowed, number = NUMBERS[name], whole_number(value, len(str(_LARGEST)))
            if number is not None and number in allowed:
                return str(number)
            raise PropertyError(
                text("it is not a number in the allowed range"),
                text(
                    "write a whole number from {first} to {last}.", first=allowed.start, last=allowed.stop - 1
                ),
                field=field,
            )
        return value
