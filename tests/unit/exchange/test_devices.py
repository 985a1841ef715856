"""What a release has proved of sessions: sleeping devices prove nothing, turned away ones do."""

import pytest

from mstunnel_setup.operations.upgrade.proof import judge, refused_addresses

PHONE, LAPTOP, STRANGER = "192.0.2.7", "2001:db8::7", "198.51.100.9"


@pytest.mark.parametrize(
    ("connected", "refused", "verdict"),
    [
        (1, [], "let-in"),
        # One whose token has run out, beside one that was let in.
        (1, [PHONE], "let-in"),
        (0, [], "away"),
        (0, [STRANGER], "away"),
        (0, [STRANGER, LAPTOP], "refused"),
        (0, [PHONE], "refused"),
    ],
)
def test_only_a_device_that_was_connected_before_and_is_refused_counts_against_a_release(
    connected: int, refused: list[str], verdict: str
) -> None:
    assert judge(connected, (PHONE, LAPTOP), refused) == verdict


def test_refusals_are_found_in_the_log_of_the_gateway() -> None:
    """The lines of ocserv 1.3.0 for a good start, two bad tokens, and a cookie of an earlier release."""
    log = f"""
mstunnel-gateway: configuration or certificate changed: reload
listening (TCP) on [::]:443...
ocserv-oidc: Token malformed - no kid

worker: {PHONE} worker-auth.c:1745: failed authentication for ''
ocserv-oidc: Token required claims validation failed

2026-11-25T19:00:00Z worker[ada]: {LAPTOP} worker-auth.c:1745: failed authentication for 'ada'
worker: {STRANGER} failed cookie authentication attempt
worker: [unknown] worker-auth.c:1745: failed authentication for ''
"""
    assert refused_addresses(log) == {PHONE, LAPTOP}
