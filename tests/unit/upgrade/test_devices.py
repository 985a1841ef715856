"""What a release has proved of sessions: sleeping devices prove nothing, turned away ones do."""

import pytest

from mstunnel_setup.upgrade.devices import judge, refused_addresses

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
def test_only_who_was_let_in_before_and_is_turned_away_speaks_against_a_release(
    connected: int, refused: list[str], verdict: str
) -> None:
    assert judge(connected, (PHONE, LAPTOP), refused) == verdict


def test_refusals_are_found_in_the_log_of_the_gateway() -> None:
    log = f"""
mstunnel-gateway: configuration or certificate changed: reload
ocserv[12]: main: {STRANGER}:40122 failed authentication attempt for user ''
ocserv[31]: worker: {PHONE} failed authentication for ''
2026-11-25T19:00:00Z ocserv[32]: worker[ada]: {LAPTOP} failed authentication for 'ada'
ocserv[33]: worker: {STRANGER} failed cookie authentication attempt
ocserv[34]: worker: [unknown] failed authentication for ''
"""
    assert refused_addresses(log) == {PHONE, LAPTOP}
