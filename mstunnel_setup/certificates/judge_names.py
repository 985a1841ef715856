"""Names: whether the certificate is valid for the address that devices connect to (RFC 9525)."""

import ipaddress
import re
from collections.abc import Iterator

import idna
from cryptography import x509

from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates import findings
from mstunnel_setup.certificates.certificate import LONGEST_NAME, extension
from mstunnel_setup.certificates.model import Finding

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MAX_NAME = 253
_SHOWN = 10


def name_findings(leaf: x509.Certificate, public_address: str | None) -> Iterator[Finding]:
    """Compare the subject alternative names with the address; the common name does not count."""
    names = extension(leaf, x509.SubjectAlternativeName)
    if names is None or not any(isinstance(name, x509.DNSName | x509.IPAddress) for name in names):
        yield findings.NAME_MISSING()
        return
    bad = [name for name in names.get_values_for_type(x509.DNSName) if "*" in name and not _is_wildcard(name)]
    if bad:
        yield findings.WILDCARD_PARTIAL(names=plain(", ".join(bad)))
    if public_address is not None:
        yield from _address(names, public_address)


def _is_wildcard(name: str) -> bool:
    """Whether it is `*.` and a domain of at least two labels: no client accepts `*.org`."""
    rest = name.removeprefix("*.")
    return rest != name and "*" not in rest and "." in rest.rstrip(".")


def _address(names: x509.SubjectAlternativeName, public_address: str) -> Iterator[Finding]:
    try:
        wanted = parse_address(public_address)
    except ValueError:
        yield findings.PUBLIC_ADDRESS_INVALID(address=plain(public_address))
        return
    if not covers(names, wanted):
        remedy = text("Request a certificate for this address, or correct the public address of the site.")
        dns_names = [name.lower() for name in names.get_values_for_type(x509.DNSName)]
        if str(wanted) in dns_names:
            remedy = text("The address is there as a DNS name; request it as an IP address entry.")
        elif f"{wanted}." in dns_names:
            remedy = text("The name in the certificate ends in a dot; request it without the dot.")
        yield findings.NAME_MISMATCH(address=wanted, names=shown_names(names), remedy=remedy)


def parse_address(text: str) -> str | IpAddress:
    """An IP address, or a host name in lower case and in its ASCII form (IDNA 2008); raises ValueError."""
    try:
        return ipaddress.ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        name = text if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    name = name.lower().removesuffix(".")
    if len(name) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in name.split(".")):
        raise ValueError(text)
    return name


def covers(names: x509.SubjectAlternativeName, wanted: str | IpAddress) -> bool:
    """Whether one of the names is the address; IP addresses count only as IP entries."""
    if not isinstance(wanted, str):
        return wanted in names.get_values_for_type(x509.IPAddress)
    return any(_matches(name, wanted) for name in names.get_values_for_type(x509.DNSName))


def _matches(name: str, wanted: str) -> bool:
    """OpenSSL, and what is built on it, matches no wildcard with a label that has an underscore.

    A final dot in a certificate stays: the libraries of clients match no such name (RFC 5280, 4.2.1.6).
    """
    name = name.lower()
    if not _is_wildcard(name):
        return name == wanted
    first, _, rest = wanted.partition(".")
    return rest == name.removeprefix("*.") and "_" not in first


def shown_names(names: x509.SubjectAlternativeName) -> str:
    """The DNS and IP names for people, not more than ten."""
    found = [
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    ]
    more = text(" and {shown} more", shown=len(found) - _SHOWN) if len(found) > _SHOWN else ""
    return (", ".join(plain(name, LONGEST_NAME) for name in found[:_SHOWN]) or text("no host")) + more
