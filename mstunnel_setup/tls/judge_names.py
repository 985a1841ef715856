"""Names: does the certificate speak for the address that devices connect to (RFC 9525)?"""

import ipaddress
import re
from collections.abc import Iterator

import idna
from cryptography import x509

from mstunnel_setup.text import plain
from mstunnel_setup.tls.certificate import LONGEST_NAME, extension
from mstunnel_setup.tls.model import Finding, Severity

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MAX_NAME = 253
_SHOWN = 10


def name_findings(leaf: x509.Certificate, public_address: str | None) -> Iterator[Finding]:
    """Compare the subject alternative names with the address; the common name does not count."""
    names = extension(leaf, x509.SubjectAlternativeName)
    if names is None:
        yield Finding(
            "name-missing",
            Severity.ERROR,
            "the certificate has no subject alternative name (SAN); a common name alone is not accepted",
            "Request a certificate with the gateway's public address as SAN.",
        )
        return
    yield from _partial_wildcards(names)
    if public_address is not None:
        yield from _address(names, public_address)


def _partial_wildcards(names: x509.SubjectAlternativeName) -> Iterator[Finding]:
    bad = [name for name in names.get_values_for_type(x509.DNSName) if "*" in name and not _is_wildcard(name)]
    if bad:
        yield Finding(
            "wildcard-partial",
            Severity.WARNING,
            f"a wildcard only counts as the whole first label (`*.example.org`): {plain(', '.join(bad))}",
            "Request a certificate for the full name or for `*.` and the domain.",
        )


def _is_wildcard(name: str) -> bool:
    """Whether it is `*.` and a domain of at least two labels: `*.org` is honoured by nobody."""
    rest = name.removeprefix("*.")
    return rest != name and "*" not in rest and "." in rest.rstrip(".")


def _address(names: x509.SubjectAlternativeName, public_address: str) -> Iterator[Finding]:
    try:
        wanted = parse_address(public_address)
    except ValueError:
        yield Finding(
            "public-address-invalid",
            Severity.ERROR,
            f"the site's public address is neither a host name nor an IP address: {plain(public_address)}",
            "Correct the public address of the site.",
        )
        return
    if not covers(names, wanted):
        yield Finding(
            "name-mismatch",
            Severity.ERROR,
            f"the certificate is not valid for {wanted}; it names {shown_names(names)}",
            _mismatch_hint(names, wanted),
        )


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
    name = name.lower().removesuffix(".")
    if not _is_wildcard(name):
        return name == wanted
    return wanted.partition(".")[2] == name.removeprefix("*.")


def shown_names(names: x509.SubjectAlternativeName) -> str:
    """The DNS and IP names for people, not more than ten."""
    found = [
        *names.get_values_for_type(x509.DNSName),
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
    ]
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (", ".join(plain(name, LONGEST_NAME) for name in found[:_SHOWN]) or "no host") + more


def _mismatch_hint(names: x509.SubjectAlternativeName, wanted: str | IpAddress) -> str:
    if str(wanted) in names.get_values_for_type(x509.DNSName):
        return "The address is there as a DNS name; request it as an IP address entry."
    return "Request a certificate for this address, or correct the public address of the site."
