"""The rule for when a certificate expires soon, used by every command, health row and metric.

The limits depend on the lifetime. A fixed number of days would warn about a certificate of six days during
its whole life, and about one of 47 days long before its renewal is due. The alerts in
contrib/prometheus/rules.yml use the same numbers.
"""

from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography import x509

_SOON: Final = (timedelta(days=30), 3)
_CRITICAL: Final = (timedelta(days=3), 10)

_LONGEST_PUBLIC: Final = (
    (date(2029, 3, 15), 47),
    (date(2027, 3, 15), 100),
    (date(2026, 3, 15), 200),
    (date(2020, 9, 1), 398),
)
"""Maximum lifetime in days of certificates that a public CA issues from each date on, latest date first.

Source: CA/Browser Forum, ballot SC-081v3; the limit of 398 days is from Apple's root program.
"""


class Expiry(StrEnum):
    """The remaining time of a certificate, in relation to its lifetime."""

    FAR = "far"
    SOON = "soon"
    CRITICAL = "critical"
    EXPIRED = "expired"


def expiry(end: datetime, now: datetime, start: datetime | None = None) -> Expiry:
    """Classify the time left until `end`.

    SOON begins at min(30 days, a third of the lifetime), CRITICAL at min(3 days, a tenth of it). Without
    `start` the lifetime is unknown and only the days count.
    """
    left = end - now
    if left < timedelta():
        return Expiry.EXPIRED
    lifetime = None if start is None else end - start
    for found, (most, part) in ((Expiry.CRITICAL, _CRITICAL), (Expiry.SOON, _SOON)):
        if left <= (most if lifetime is None else min(most, lifetime / part)):
            return found
    return Expiry.FAR


def expiry_of(certificate: x509.Certificate, now: datetime) -> Expiry:
    """Classify the time left until the certificate expires; see `expiry`."""
    return expiry(certificate.not_valid_after_utc, now, certificate.not_valid_before_utc)


def longest_public(issued: date) -> tuple[int, date]:
    """Return the maximum lifetime in days of a certificate that a public CA issues on a date.

    The second value is the date from which this limit applies.
    """
    known = ((days, since) for since, days in _LONGEST_PUBLIC if since <= issued)
    since, days = _LONGEST_PUBLIC[-1]
    return next(known, (days, since))
