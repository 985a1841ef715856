"""Validate web addresses, IP addresses and host names that people entered."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from mstunnel_setup.base.text import text

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_LONGEST: Final = 2048
_UNSAFE: Final = frozenset(' "<>\\^`{|}')
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


def is_web_address(text: str) -> bool:
    """Return whether the text is an acceptable http or https address; see `web_address_problem`."""
    return not web_address_problem(text)


def web_address_problem(value: str) -> str:
    """Return the reason why `value` is not an acceptable http or https address; empty if it is.

    The reason is the end of a sentence. An acceptable address has a valid host and port, no user name or
    password, at most 2,048 characters, and no ASCII character that RFC 3986 excludes.
    """
    if len(value) > _LONGEST:
        return text("it is longer than {longest} characters", longest=_LONGEST)
    if not value.isprintable() or _UNSAFE.intersection(value):
        return text("it has spaces, control characters or other characters that are not allowed")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return text("its host or port cannot be read")
    known = is_ip_address(host) if "[" in parts.netloc else is_host(host.removesuffix("."))
    problems = {
        text("it is not an http or https address"): parts.scheme not in {"http", "https"},
        text("it has a user name or password"): "@" in parts.netloc,
        text("it has no host"): not host or (host.isascii() and not known),
        text("its port does not exist"): port == 0,
    }
    return next((problem for problem, found in problems.items() if found), "")


def is_probe_address(text: str) -> bool:
    """Return whether a gateway may probe the address: it must be acceptable and in ASCII, as in HTTP."""
    return text.isascii() and is_web_address(text)


def is_ip_address(text: str) -> bool:
    """Return whether the text is an IPv4 or IPv6 address without a zone."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_host(text: str) -> bool:
    """Return whether the text is a host name (of one or more labels) or an IP address."""
    return is_ip_address(text) or bool(_NAME.fullmatch(text) and not text.replace(".", "").isdigit())
