"""Time: valid now, for how long, and not longer than phones accept."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from cryptography import x509

from mstunnel_setup.tls.certificate import title
from mstunnel_setup.tls.chain_building import Path
from mstunnel_setup.tls.model import Finding, Severity

WARN_DAYS = 30
_PUBLIC_DAYS = 398
_PRIVATE_DAYS = 730
_RENEW = "Renew the certificate and import the new one."


def days_left(certificate: x509.Certificate, now: datetime) -> int:
    """Whole days until the end; negative when it is over."""
    return (certificate.not_valid_after_utc - now).days


def time_findings(path: Path, now: datetime, *, public: bool) -> Iterator[Finding]:
    """Validity of the leaf, of what is above it, and the length of the leaf's life."""
    leaf = path.certificates[0]
    yield from _leaf_validity(leaf, now)
    for certificate in path.certificates[1:]:
        yield from _issuer_validity(certificate, now)
    yield from _lifetime(leaf, public=public)


def _leaf_validity(leaf: x509.Certificate, now: datetime) -> Iterator[Finding]:
    if now < leaf.not_valid_before_utc:
        yield Finding(
            "not-yet-valid",
            Severity.ERROR,
            f"the certificate is valid only from {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            "Check the clock of this server, or import the certificate later.",
        )
    elif now > leaf.not_valid_after_utc:
        yield Finding(
            "expired", Severity.ERROR, f"the certificate ended on {leaf.not_valid_after_utc:%Y-%m-%d}", _RENEW
        )
    elif days_left(leaf, now) <= WARN_DAYS:
        yield Finding(
            "expires-soon",
            Severity.WARNING,
            f"the certificate ends on {leaf.not_valid_after_utc:%Y-%m-%d}, in {days_left(leaf, now)} days",
            _RENEW,
        )


def _issuer_validity(certificate: x509.Certificate, now: datetime) -> Iterator[Finding]:
    name, end = title(certificate), certificate.not_valid_after_utc
    if now < certificate.not_valid_before_utc:
        yield Finding(
            "chain-not-yet-valid",
            Severity.ERROR,
            f"{name} in the chain is valid only from {certificate.not_valid_before_utc:%Y-%m-%d}",
            "Check the clock of this server, or use the authority's current chain.",
        )
    elif now > end:
        yield Finding(
            "chain-expired",
            Severity.ERROR,
            f"{name} in the chain ended on {end:%Y-%m-%d}",
            "Get the authority's current intermediate certificates and give the whole chain again.",
        )
    elif days_left(certificate, now) <= WARN_DAYS:
        yield Finding(
            "chain-expires-soon",
            Severity.WARNING,
            f"{name} in the chain ends on {end:%Y-%m-%d}, in {days_left(certificate, now)} days",
            "Get the authority's new chain before that day.",
        )


def _lifetime(leaf: x509.Certificate, *, public: bool) -> Iterator[Finding]:
    life = leaf.not_valid_after_utc - leaf.not_valid_before_utc + timedelta(seconds=1)
    limit = _PUBLIC_DAYS if public else _PRIVATE_DAYS
    if life <= timedelta(days=limit):
        return
    where = "iOS refuses it, Android advises against it" if public else "iOS refuses it"
    yield Finding(
        "lifetime-public" if public else "lifetime-private",
        Severity.WARNING,
        f"the certificate is issued for {life.days} days, more than {limit}: {where}",
        f"Request a certificate of at most {limit} days.",
    )
