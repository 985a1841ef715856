"""Limits for the remaining time of a certificate and for its lifetime."""

from datetime import date, timedelta

from mstunnel_setup.certificates.expiry import Expiry, expiry, longest_public
from tests.cases import every
from tests.unit.certificates.pki import NOW


@every(
    "lifetime, soon, critical",
    [
        (timedelta(days=398), timedelta(days=30), timedelta(days=3)),
        (timedelta(days=90), timedelta(days=30), timedelta(days=3)),
        (timedelta(days=64), timedelta(days=64) / 3, timedelta(days=3)),
        (timedelta(days=45), timedelta(days=15), timedelta(days=3)),
        (timedelta(days=30), timedelta(days=10), timedelta(days=3)),
        (timedelta(days=6), timedelta(days=2), timedelta(hours=14.4)),
        (timedelta(days=1), timedelta(hours=8), timedelta(hours=2.4)),
        (None, timedelta(days=30), timedelta(days=3)),
    ],
)
def test_expiry_limits_depend_on_the_lifetime(
    lifetime: timedelta | None, soon: timedelta, critical: timedelta
) -> None:
    second = timedelta(seconds=1)

    def at(left: timedelta) -> Expiry:
        end = NOW + left
        return expiry(end, NOW, None if lifetime is None else end - lifetime)

    assert at(soon + second) is Expiry.FAR
    assert at(soon) is Expiry.SOON
    assert at(critical + second) is Expiry.SOON
    assert at(critical) is Expiry.CRITICAL
    assert at(timedelta()) is Expiry.CRITICAL
    assert at(-second) is Expiry.EXPIRED


@every(
    "issued, days",
    [
        (date(2019, 1, 1), 398),
        (date(2026, 3, 14), 398),
        (date(2026, 3, 15), 200),
        (date(2027, 3, 14), 200),
        (date(2027, 3, 15), 100),
        (date(2029, 3, 14), 100),
        (date(2029, 3, 15), 47),
        (date(2040, 1, 1), 47),
    ],
)
def test_lifetime_limit_of_public_cas_by_date(issued: date, days: int) -> None:
    assert longest_public(issued)[0] == days
