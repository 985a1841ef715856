"""Paths from a leaf to a root, where cross-signed certificates offer more than one (RFC 4158)."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from cryptography import x509

from mstunnel_setup.certificates.certificate import (
    Identity,
    identifiers_fit,
    is_issued_by,
    is_self_signed,
    public_bytes,
)

# Public chains have two to four certificates; more than this is a file made to waste time.
_MAX_LENGTH = 10
_MAX_PATHS = 64


@dataclass(frozen=True)
class Path:
    """Certificates from the leaf upwards; `trusted` when the last one is a trusted root, or its twin."""

    certificates: tuple[x509.Certificate, ...]
    trusted: bool

    @property
    def end(self) -> x509.Certificate:
        """The last certificate."""
        return self.certificates[-1]

    @cached_property
    def complete(self) -> bool:
        """Whether it ends in a root."""
        return self.trusted or is_self_signed(self.end)

    @cached_property
    def fits(self) -> bool:
        """Whether every key identifier is that of the certificate above."""
        return all(itertools.starmap(identifiers_fit, itertools.pairwise(self.certificates)))

    def is_valid_at(self, now: datetime) -> bool:
        """Whether every certificate above the leaf is within its time."""
        return all(
            certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc
            for certificate in self.certificates[1:]
        )


class _Issuers:
    """Finds the certificates that may have issued another one, those given before the trusted ones."""

    def __init__(self, given: Sequence[x509.Certificate], roots: Sequence[x509.Certificate]) -> None:
        self._by_subject: dict[x509.Name, list[x509.Certificate]] = defaultdict(list)
        self._anchors: set[tuple[x509.Name, bytes]] = set()
        wanted = {certificate.issuer for certificate in given}
        relevant = [root for root in roots if root.subject in wanted]
        for certificate in dict.fromkeys([*given, *relevant]):
            self._by_subject[certificate.subject].append(certificate)
        for root in relevant:
            self._anchors.add((root.subject, public_bytes(root)))
        self._roots = frozenset(relevant)

    def of(self, certificate: x509.Certificate) -> list[x509.Certificate]:
        return [
            candidate
            for candidate in self._by_subject.get(certificate.issuer, ())
            if candidate != certificate and is_issued_by(certificate, candidate)
        ]

    def is_anchor(self, certificate: x509.Certificate) -> bool:
        """A cross-signed twin of a trusted root is not an anchor itself: the root must be reached."""
        if certificate in self._roots:
            return True
        return (
            is_self_signed(certificate) and (certificate.subject, public_bytes(certificate)) in self._anchors
        )


def paths(
    leaf: x509.Certificate, given: Sequence[x509.Certificate], roots: Sequence[x509.Certificate] = ()
) -> list[Path]:
    """All paths upwards, at most 64; there is always one, if only the leaf itself."""
    issuers = _Issuers([leaf, *given], roots)
    return list(itertools.islice(_walk((leaf,), issuers), _MAX_PATHS))


def _walk(taken: tuple[x509.Certificate, ...], issuers: _Issuers) -> Iterator[Path]:
    if issuers.is_anchor(taken[-1]):
        yield Path(taken, trusted=True)
        return
    following = [issuer for issuer in issuers.of(taken[-1]) if issuer not in taken]
    if not following or len(taken) == _MAX_LENGTH:
        yield Path(taken, trusted=False)
        return
    for issuer in following:
        yield from _walk((*taken, issuer), issuers)


def best_path(
    leaf: x509.Certificate,
    given: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate] = (),
    now: datetime | None = None,
) -> Path:
    """The path to serve: trusted, then with the right key identifiers, valid at `now`, complete, short."""

    def rank(path: Path) -> tuple[bool, bool, bool, bool, int]:
        valid = now is None or path.is_valid_at(now)
        return (not path.trusted, not path.fits, not valid, not path.complete, len(path.certificates))

    return min(paths(leaf, given, roots), key=rank)


def prefer_trusted(identity: Identity, trusted_roots: Sequence[x509.Certificate], now: datetime) -> Identity:
    """Return the identity with the chain that ends in a trusted root, where the input offers a choice.

    The root itself stays in the chain only when the input had it.
    """
    path = best_path(identity.leaf, identity.given, trusted_roots, now)
    given = {identity.leaf, *identity.given}
    chain = tuple(certificate for certificate in path.certificates if certificate in given)
    return replace(identity, chain=chain)
