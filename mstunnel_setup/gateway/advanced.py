"""Advanced settings: names and values that are not in the admin center, passed on to ocserv.

Only settings that are safe for a tenant administrator are passed on: numbers and switches, nothing
that names a file, runs a program, or changes how devices authenticate. Source: ocserv(8), 1.3.0.
"""

from collections.abc import Mapping
from typing import Final

from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import quoted
from mstunnel_setup.gateway.fields import invalid

_FIELD: Final = "advancedSettings"
_LARGEST: Final = 2**31 - 1
_SECONDS: Final = range(_LARGEST)
_COUNT: Final = range(_LARGEST)

LONGEST_DRAIN: Final = 60
"""Seconds for which a gateway that is stopped may let its sessions go on (`server-drain-ms`)."""

NUMBERS: Final[Mapping[str, range]] = {
    "auth-timeout": _SECONDS,
    "ban-points-connection": _COUNT,
    "ban-points-wrong-password": _COUNT,
    "ban-reset-time": _SECONDS,
    "cookie-timeout": _SECONDS,
    "dpd": _SECONDS,
    "idle-timeout": _SECONDS,
    "keepalive": _SECONDS,
    "max-ban-score": _COUNT,
    "max-clients": _COUNT,
    "max-same-clients": _COUNT,
    "min-reauth-time": _SECONDS,
    "mobile-dpd": _SECONDS,
    "mobile-idle-timeout": _SECONDS,
    "mtu": range(576, 16385),
    "output-buffer": _COUNT,
    "rate-limit-ms": _COUNT,
    "rekey-time": _SECONDS,
    "rx-data-per-sec": _COUNT,
    "server-drain-ms": range(1000 * LONGEST_DRAIN + 1),
    "session-timeout": _SECONDS,
    "stats-report-time": _SECONDS,
    "switch-to-tcp-timeout": _SECONDS,
    "tx-data-per-sec": _COUNT,
}
"""Settings that are whole numbers, with their ranges."""

SWITCHES: Final = frozenset(
    {
        "client-bypass-protocol",
        "compression",
        "deny-roaming",
        "dtls-legacy",
        "persistent-cookies",
        "ping-leases",
        "predictable-ips",
        "try-mtu-discovery",
        "tunnel-all-dns",
    }
)
"""Settings that are true or false."""


def read_advanced(
    pairs: tuple[tuple[str, str], ...],
) -> tuple[dict[str, str], tuple[Problem, ...]]:
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
                    (
                        "the server configuration has the advanced setting {name} more than once; the last "
                        "value is used"
                    ),
                    hint="Remove the others with Microsoft Graph.",
                    name=name,
                )
            )
        settings[name] = _switch(name, value) if name in SWITCHES else _number(name, value)
    return dict(sorted(settings.items())), tuple(warnings)


def _number(name: str, value: str) -> str:
    allowed = NUMBERS[name]
    number = whole_number(value, len(str(_LARGEST)))
    if number is not None and number in allowed:
        return str(number)
    raise invalid(
        f"{_FIELD} {name}",
        value,
        "it is not a number in the allowed range",
        f"write a whole number from {allowed.start} to {allowed.stop - 1}.",
    )


def _switch(name: str, value: str) -> str:
    words = {"true": "true", "yes": "true", "false": "false", "no": "false"}
    if value.lower() in words:
        return words[value.lower()]
    raise invalid(f"{_FIELD} {name}", value, "it is neither true nor false", "write true or false.")
