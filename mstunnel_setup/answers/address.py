"""Whether a text that people wrote is the address of a page or of a host."""

import re
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# What a line of a file, a command line and every proxy take.
_LONGEST_PROBE: Final = 2048
_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")


def is_web_address(text: str) -> bool:
    """Whether it is an http or https address without a user name."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in {"http", "https"}
            and bool(parts.hostname)
            and parts.username is None
            and parts.port != 0
            and text.isprintable()
            and " " not in text
        )
    except ValueError:
        return False


def is_probe_address(text: str) -> bool:
    """Whether it is a web address that a gateway may try: short, in ASCII, without a user name."""
    return len(text) <= _LONGEST_PROBE and text.isascii() and is_web_address(text)


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
