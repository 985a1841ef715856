"""Certification paths from a leaf to a root, and the name constraints of the CAs on a path.

Cross-signed certificates allow more than one path (RFC 4158). Name constraints (RFC 5280, 4.2.1.10) are
interpreted as OpenSSL does.
"""

import ipaddress
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.x509.oid import NameOID

from mstunnel_setup.certificates.certificate import (
    Identity,
    extension,
    identifiers_fit,
    is_issued_by,
    is_self_signed,
    public_bytes,
)
from mstunnel_setup.certificates.der import IA5_STRING, Node, first_element

# Public chains have two to four certificates; a longer file is meant to waste time.
_MAX_LENGTH = 10
_MAX_PATHS = 64


@dataclass(frozen=True)
class Path:
    """Certificates from the leaf upwards; `trusted` if the last one is a trusted root, or the same CA."""

    certificates: tuple[x509.Certificate, ...]
    trusted: bool

    @property
    def end(self) -> x509.Certificate:
        """The last certificate of the path."""
        return self.certificates[-1]

    @cached_property
    def complete(self) -> bool:
        """True if the path ends in a root."""
        return self.trusted or is_self_signed(self.end)


def paths(
    leaf: x509.Certificate, given: Sequence[x509.Certificate], roots: Sequence[x509.Certificate] = ()
) -> list[Path]:
    """Return all paths upwards, at most 64; there is at least the path of the leaf alone."""
    # Given issuers are tried before trusted ones.
    wanted = {certificate.issuer for certificate in (leaf, *given)}
    relevant = [root for root in roots if root.subject in wanted]
    anchors = {(root.subject, public_bytes(root)) for root in relevant}
    by_subject: dict[x509.Name, list[x509.Certificate]] = defaultdict(list)
    for certificate in dict.fromkeys([leaf, *given, *relevant]):
        by_subject[certificate.subject].append(certificate)

    def is_anchor(certificate: x509.Certificate) -> bool:
        """Return whether a path ends here: a trusted root does, its cross-signed version does not."""
        twin = (certificate.subject, public_bytes(certificate)) in anchors
        return certificate in relevant or (twin and is_self_signed(certificate))

    def walk(taken: tuple[x509.Certificate, ...]) -> Iterator[Path]:
        last = taken[-1]
        if is_anchor(last):
            yield Path(taken, trusted=True)
            return
        above = [
            one for one in by_subject.get(last.issuer, ()) if one not in taken and is_issued_by(last, one)
        ]
        if not above or len(taken) == _MAX_LENGTH:
            yield Path(taken, trusted=False)
            return
        for issuer in above:
            yield from walk((*taken, issuer))

    return list(itertools.islice(walk((leaf,)), _MAX_PATHS))


def best_path(
    leaf: x509.Certificate,
    given: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate] = (),
    now: datetime | None = None,
) -> Path:
    """Return the path to serve: trusted, then matching key identifiers, valid at `now`, complete, short."""

    def rank(path: Path) -> tuple[bool, bool, bool, bool, int]:
        fits = all(itertools.starmap(identifiers_fit, itertools.pairwise(path.certificates)))
        valid = now is None or all(
            issuer.not_valid_before_utc <= now <= issuer.not_valid_after_utc
            for issuer in path.certificates[1:]
        )
        return (not path.trusted, not fits, not valid, not path.complete, len(path.certificates))

    return min(paths(leaf, given, roots), key=rank)


def prefer_trusted(identity: Identity, trusted_roots: Sequence[x509.Certificate], now: datetime) -> Identity:
    """Return the identity with the chain that ends in a trusted root, if the input offers a choice.

    The root itself stays in the chain only if the input had it.
    """
    path = best_path(identity.leaf, identity.given, trusted_roots, now)
    given = {identity.leaf, *identity.given}
    return replace(identity, chain=tuple(item for item in path.certificates if item in given))


@dataclass(frozen=True)
class _Name:
    """A name as encoded in the certificate: the library does not parse every text as a mail address.

    Other names are of one kind if they have the same type.
    """

    kind: object
    value: Any
    # OpenSSL refuses a mail address in any other string type, whatever the constraints cover.
    is_readable: bool = True


def forbidden_name(issuer: x509.Certificate, below: Sequence[x509.Certificate]) -> str | None:
    """Return the first name below `issuer` that its name constraints forbid, leaf first; else None."""
    constraints = extension(issuer, x509.NameConstraints)
    if constraints is None:
        return None
    # Name constraints do not apply to a self-issued CA, such as one with a new key; they always apply to a
    # leaf.
    constrained = [below[0], *(item for item in below[1:] if item.issuer != item.subject)]
    for certificate in constrained:
        for name in _names(certificate, is_leaf=certificate is below[0]):
            if _violates(name, constraints):
                return name.value.rfc4514_string() if isinstance(name.value, x509.Name) else str(name.value)
    return None


def _names(certificate: x509.Certificate, *, is_leaf: bool) -> Iterator[_Name]:
    """Yield subject, its mail addresses and the alternative names; without a DNS name the common name."""
    subject = certificate.subject
    if subject.rdns:
        yield _Name(x509.DirectoryName, subject)
    for mail in _mail_addresses(subject):
        text = mail.content.decode(errors="replace")
        yield _Name(x509.RFC822Name, text, is_readable=mail.tag == IA5_STRING)
    alternatives = list(extension(certificate, x509.SubjectAlternativeName) or ())
    yield from map(_named, alternatives)
    if is_leaf and not any(isinstance(name, x509.DNSName) for name in alternatives):
        for common in map(str, (item.value for item in subject.get_attributes_for_oid(NameOID.COMMON_NAME))):
            # The common name counts only if it looks like a host name.
            if common.isascii() and "." in common and not set(common) & set(" @/:"):
                yield _Name(x509.DNSName, common)


def _mail_addresses(subject: x509.Name) -> Iterator[Node]:
    """Yield mail addresses with their string type, which the library does not return."""
    for rdn in first_element(subject.public_bytes()).children():
        for attribute in rdn.children():
            kind, value = attribute.sequence(2)[:2]
            if kind.identifier() == NameOID.EMAIL_ADDRESS.dotted_string:
                yield value


def _named(name: x509.GeneralName) -> _Name:
    return _Name(name.type_id if isinstance(name, x509.OtherName) else type(name), name.value)


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


def _matches_dns(name: str, subtree: str) -> bool:
    """Match a DNS name; a subtree with a leading dot covers only names below it."""
    name, subtree = name.lower(), subtree.lower()
    return not subtree or name == subtree or name.endswith(f".{subtree.removeprefix('.')}")


def _matches_host(name: str, subtree: str) -> bool:
    """Match the host of a mail or web address; a subtree without a leading dot is exactly one host."""
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
    address = isinstance(name, ipaddress.IPv4Address | ipaddress.IPv6Address)
    return address and isinstance(subtree, ipaddress.IPv4Network | ipaddress.IPv6Network) and name in subtree


def _matches_directory(name: x509.Name, subtree: x509.Name) -> bool:
    """Match directory names without regard to case and blanks (RFC 5280, 7.1)."""
    folded, below = (
        [
            frozenset((item.oid.dotted_string, " ".join(str(item.value).casefold().split())) for item in rdn)
            for rdn in one.rdns
        ]
        for one in (name, subtree)
    )
    return folded[: len(below)] == below


_MATCHERS: dict[object, Callable[[Any, Any], bool]] = {
    x509.DNSName: _matches_dns,
    x509.DirectoryName: _matches_directory,
    x509.IPAddress: _matches_ip,
    x509.RFC822Name: _matches_mail,
    x509.UniformResourceIdentifier: _matches_uri,
}
