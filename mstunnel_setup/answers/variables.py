"""Allowed values of the variables in `env.sh`, for the answer file and for `mst-cli env set`."""

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from mstunnel_setup.base.errors import DEBUG_LEVEL_INVALID, UsageError

PROXIES: Final[tuple[str, ...]] = ("http_proxy", "https_proxy", "no_proxy")
"""The proxy variables in lower case; some programs read them in upper case."""

LOG_FORMAT: Final = "LOG_FORMAT"
"""Log formats of agent and monitor."""

VERBOSE: Final = ("mst_verbose_log", "mst_log_verbose")
"""The vendor's two names of the variable for detailed logs of all parts."""

KNOWN: Final = frozenset(
    {
        *PROXIES,
        *map(str.upper, PROXIES),
        *VERBOSE,
        "TRACE_SESSIONS",
        "DEBUG_LEVEL",
        LOG_FORMAT,
        "CLIENT_TO_CLIENT",
    }
)
"""Every variable that gateway, agent or monitor reads."""

_TRUTH = frozenset({"1", "true", "yes", "on", "0", "false", "no", "off"})
_HIGHEST_LEVEL = 4
_LEVEL = re.compile(r"0*[0-4]")
_TRACE = re.compile(r"[012]")
# RFC 3986, 3.1, defines schemes. The pattern is anchored because a password may hold `://`, too.
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
# Without a scheme, only a port distinguishes an address from a typing error.
_HOST = r"([^\s/@]+@)?([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])"
_PROXY = re.compile(rf"(?i:https?)://{_HOST}(:[0-9]{{1,5}})?/?|{_HOST}:[0-9]{{1,5}}/?")


def proxies_of(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies among `variables`, in lower case, whichever case names them."""
    found = {name: variables.get(name) or variables.get(name.upper(), "") for name in PROXIES}
    return {name: value for name, value in found.items() if value}


def in_both_cases(proxies: Mapping[str, str]) -> dict[str, str]:
    """Return each proxy in lower and in upper case, as programs read them."""
    return {variable: value for name, value in proxies.items() for variable in (name, name.upper())}


def without_login(proxy: str) -> tuple[str, str]:
    """Split a proxy's address into the address alone and its login (`name:password`, "" if none)."""
    before, _, host = proxy.rpartition("@")
    match = _SCHEME.match(before)
    scheme = match[0] if match else ""
    return scheme + host, before.removeprefix(scheme)


def proxy_place(url: str) -> tuple[str, int] | None:
    """Return host and port of a proxy's address; None if it is invalid."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    return (host, port or (443 if parts.scheme == "https" else 80)) if host else None


def refuse_wrong(name: str, value: str) -> None:
    """Raise UsageError for a value that the gateway cannot use; empty means unset, other names are free.

    An empty value counts as not set; variables with other names may have any value. No message repeats the
    address of a proxy, because it may contain a password.
    """
    if not value:
        return
    if name == "DEBUG_LEVEL" and not _LEVEL.fullmatch(value):
        raise DEBUG_LEVEL_INVALID(value=value, highest=_HIGHEST_LEVEL)
    if name == "TRACE_SESSIONS" and not _TRACE.fullmatch(value):
        raise UsageError(
            "trace-sessions-invalid",
            "TRACE_SESSIONS cannot be {value}",
            hint="Write 0 (off), 1 (the access log) or 2 (the access log with DNS connections).",
            value=value,
        )
    if name == LOG_FORMAT and value not in {"text", "json"}:
        raise UsageError(
            "log-format-invalid",
            "LOG_FORMAT cannot be {value}",
            hint="Write text, or json (each line is an object of JSON).",
            value=value,
        )
    if name == "CLIENT_TO_CLIENT" and value not in {"true", "false"}:
        raise UsageError(
            "client-to-client-invalid",
            "CLIENT_TO_CLIENT cannot be {value}",
            hint="Write true (devices reach each other) or false.",
            value=value,
        )
    if name in VERBOSE and value.lower() not in _TRUTH:
        raise UsageError(
            "verbose-invalid",
            "{name} cannot be {value}",
            hint="Write true (detail in all logs) or false.",
            name=name,
            value=value,
        )
    if name.lower() in PROXIES[:2] and (not _PROXY.fullmatch(value) or proxy_place(value) is None):
        raise UsageError(
            "proxy-invalid",
            "{variable} is not the address of a proxy",
            hint="Write it as `http://proxy.example.com:3128`.",
            variable=name,
        )
