"""Whether a text that people wrote is the address of a page or of a host."""

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
    """Whether it is an http or https address that may be opened; see `web_address_problem`."""
    return not web_address_problem(text)


def web_address_problem(value: str) -> str:
    """Why `text` is no http or https address that may be opened, as the end of a sentence, else nothing.

    Takes any text. An address has a host and a port that exist, no user name or password, 2,048 characters at
    most, and no character that RFC 3986 leaves out (beyond ASCII it is not judged).
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
    """Whether it is a web address that a gateway may try: in ASCII, which every program on the way takes."""
    return text.isascii() and is_web_address(text)


def is_ip_address(text: str) -> bool:
    """Whether it is an IPv4 or IPv6 address without a zone."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def is_host(text: str) -> bool:
    """Whether it is a host name, of one label or more, or an IP address."""
    return is_ip_address(text) or bool(_NAME.fullmatch(text) and not text.replace(".", "").isdigit())
