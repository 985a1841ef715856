"""Name constraints of an authority (RFC 5280, 4.2.1.10), as OpenSSL reads them."""

import ipaddress
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from mstunnel_setup.certificates.certificate import extension
from mstunnel_setup.certificates.der import IA5_STRING, Node, first_element, identifier, sequence

_Rdn = frozenset[tuple[str, str]]


@dataclass(frozen=True)
class _Name:
    """A name as the certificate has it: the library makes no mail address of just any text in a subject.

    Other names are of one kind when they have the same type.
    """

    kind: object
    value: Any
    # OpenSSL refuses a mail address in any other type of string, whatever the constraints are about.
    is_readable: bool = True


def forbidden_name(issuer: x509.Certificate, below: Sequence[x509.Certificate]) -> str | None:
    """The first name in the certificates below `issuer`, leaf first, that it may not issue for, if any."""
    constraints = extension(issuer, x509.NameConstraints)
    if constraints is None:
        return None
    names = (
        name
        for certificate in _constrained(below)
        for name in _names(certificate, is_leaf=certificate is below[0])
    )
    return next((_shown(name) for name in names if _violates(name, constraints)), None)


def _constrained(below: Sequence[x509.Certificate]) -> Iterator[x509.Certificate]:
    """A self-issued authority, such as one with a new key, is not constrained; a leaf always is."""
    yield below[0]
    yield from (certificate for certificate in below[1:] if certificate.issuer != certificate.subject)


def _names(certificate: x509.Certificate, *, is_leaf: bool) -> Iterator[_Name]:
    """Subject, its mail addresses and the alternative names; the common name where there is no DNS name."""
    subject = certificate.subject
    if subject.rdns:
        yield _Name(x509.DirectoryName, subject)
    for mail in _mail_addresses(subject):
        text = mail.content.decode(errors="replace")
        yield _Name(x509.RFC822Name, text, is_readable=mail.tag == IA5_STRING)
    alternatives = list(extension(certificate, x509.SubjectAlternativeName) or ())
    yield from map(_named, alternatives)
    if is_leaf and not any(isinstance(name, x509.DNSName) for name in alternatives):
        for common in subject.get_attributes_for_oid(NameOID.COMMON_NAME):
            if _looks_like_host(str(common.value)):
                yield _Name(x509.DNSName, str(common.value))


def _mail_addresses(subject: x509.Name) -> Iterator[Node]:
    """Mail addresses with their type of string, which the library does not return."""
    for rdn in first_element(subject.public_bytes()).children():
        for attribute in rdn.children():
            kind, value = sequence(attribute, at_least=2)[:2]
            if identifier(kind) == NameOID.EMAIL_ADDRESS.dotted_string:
                yield value


def _named(name: x509.GeneralName) -> _Name:
    return _Name(name.type_id if isinstance(name, x509.OtherName) else type(name), name.value)


def _looks_like_host(text: str) -> bool:
    return text.isascii() and "." in text and not set(text) & set(" @/:")


def _violates(name: _Name, constraints: x509.NameConstraints) -> bool:
    if not name.is_readable:
        return True
    permitted, excluded = (
        [subtree.value for subtree in map(_named, subtrees or ()) if subtree.kind == name.kind]
        for subtrees in (constraints.permitted_subtrees, constraints.excluded_subtrees)
    )
    matches = _MATCHERS.get(name.kind)
    if matches is None or (name.kind is x509.RFC822Name and "@" not in name.value):
        return bool(permitted or excluded)
    inside = any(matches(name.value, subtree) for subtree in permitted)
    return bool(permitted and not inside) or any(matches(name.value, subtree) for subtree in excluded)


def _shown(name: _Name) -> str:
    return name.value.rfc4514_string() if isinstance(name.value, x509.Name) else str(name.value)


def _matches_dns(name: str, subtree: str) -> bool:
    """With a leading dot the subtree is only what is below it."""
    name, subtree = name.lower(), subtree.lower()
    return not subtree or name == subtree or name.endswith(f".{subtree.removeprefix('.')}")


def _matches_host(name: str, subtree: str) -> bool:
    """In addresses of mail and web a subtree without a leading dot is one host."""
    name, subtree = name.lower(), subtree.lower()
    return name.endswith(subtree) if subtree.startswith(".") or not subtree else name == subtree


def _matches_mail(name: str, subtree: str) -> bool:
    local, _, host = name.rpartition("@")
    mailbox, at, domain = subtree.rpartition("@")
    return local == mailbox and _matches_host(host, domain) if at else _matches_host(host, subtree)


def _matches_uri(name: str, subtree: str) -> bool:
    try:
        return _matches_host(urlsplit(name).hostname or "", subtree)
    except ValueError:
        return False


def _matches_ip(name: object, subtree: object) -> bool:
    return (
        isinstance(name, ipaddress.IPv4Address | ipaddress.IPv6Address)
        and isinstance(subtree, ipaddress.IPv4Network | ipaddress.IPv6Network)
        and name in subtree
    )


def _matches_directory(name: x509.Name, subtree: x509.Name) -> bool:
    return _folded(name)[: len(subtree.rdns)] == _folded(subtree)


def _folded(name: x509.Name) -> list[_Rdn]:
    """Compared without regard to case and blanks (RFC 5280, 7.1)."""
    return [
        frozenset((item.oid.dotted_string, " ".join(str(item.value).casefold().split())) for item in rdn)
        for rdn in name.rdns
    ]


_MATCHERS: dict[object, Callable[[Any, Any], bool]] = {
    x509.DNSName: _matches_dns,
    x509.DirectoryName: _matches_directory,
    x509.IPAddress: _matches_ip,
    x509.RFC822Name: _matches_mail,
    x509.UniformResourceIdentifier: _matches_uri,
}
