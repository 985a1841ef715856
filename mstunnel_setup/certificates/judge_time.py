"""Time: valid now, for how long, and not longer than phones accept."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509

from mstunnel_setup.certificates import findings
from mstunnel_setup.certificates.certificate import title
from mstunnel_setup.certificates.chain_building import Path
from mstunnel_setup.certificates.model import Finding

WARN_DAYS = 30
_PUBLIC_DAYS = 398
_PRIVATE_DAYS = 730


def days_left(certificate: x509.Certificate, now: datetime) -> int:
    """Whole days until the end; negative when it is over."""
    return (certificate.not_valid_after_utc - now).days


def time_findings(path: Path, now: datetime, *, public: bool) -> Iterator[Finding]:
    """Validity of the leaf, of what is above it, and the length of the leaf's life."""
    leaf = path.certificates[0]
    if now < leaf.not_valid_before_utc:
        yield findings.NOT_YET_VALID(start=leaf.not_valid_before_utc)
    elif now > leaf.not_valid_after_utc:
        yield findings.EXPIRED(end=leaf.not_valid_after_utc)
    elif days_left(leaf, now) <= WARN_DAYS:
        yield findings.EXPIRES_SOON(end=leaf.not_valid_after_utc, days=days_left(leaf, now))
    for certificate in path.certificates[1:]:
        yield from _issuer_validity(certificate, now)
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc + timedelta(seconds=1)
    if public and life > timedelta(days=_PUBLIC_DAYS):
        yield findings.LIFETIME_PUBLIC(days=life.days, limit=_PUBLIC_DAYS)
    if not public and life > timedelta(days=_PRIVATE_DAYS):
        yield findings.LIFETIME_PRIVATE(days=life.days, limit=_PRIVATE_DAYS)


def _issuer_validity(certificate: x509.Certificate, now: datetime) -> Iterator[Finding]:
    name, end = title(certificate), certificate.not_valid_after_utc
    if now < certificate.not_valid_before_utc:
        yield findings.CHAIN_NOT_YET_VALID(name=name, start=certificate.not_valid_before_utc)
    elif now > end:
        yield findings.CHAIN_EXPIRED(name=name, end=end)
    elif days_left(certificate, now) <= WARN_DAYS:
        yield findings.CHAIN_EXPIRES_SOON(name=name, end=end, days=days_left(certificate, now))
