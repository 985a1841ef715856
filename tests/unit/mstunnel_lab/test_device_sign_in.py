"""Device sign-in: what a polling device gets, and limits on guessing."""

import pytest

from mstunnel_lab.entra.device_sign_in import judge_poll
from mstunnel_lab.records import DeviceCodeRecord, DeviceCodeStatus
from mstunnel_lab.state import FailedAttempts
from tests.unit.clocks import FakeClock

CODE = DeviceCodeRecord(
    id="d", user_code="U", client_id="c", scope="openid", expires_at=1000.0, last_poll=90.0
)


@pytest.mark.parametrize(
    ("status", "now", "error"),
    [
        ("pending", 95.0, "authorization_pending"),
        ("pending", 91.0, "slow_down"),
        ("pending", 1000.0, "expired_token"),
        ("approved", 95.0, None),
        ("approved", 91.0, "slow_down"),
        ("approved", 1000.0, "expired_token"),
        ("declined", 91.0, "authorization_declined"),
        ("redeemed", 95.0, "invalid_grant"),
        ("redeemed", 2000.0, "invalid_grant"),
    ],
)
def test_answers(status: str, now: float, error: str | None) -> None:
    code = CODE.model_copy(update={"status": DeviceCodeStatus(status)})
    refusal = judge_poll(code, now, interval=5)
    assert (refusal.error if refusal else None) == error


def test_a_name_is_refused_until_its_first_wrong_try_is_old() -> None:
    clock = FakeClock()
    tries = FailedAttempts(3, 600, clock)
    for _ in range(3):
        assert not tries.exhausted("a")
        tries.count("a")
        clock.elapsed += 100
    assert (tries.exhausted("a"), tries.exhausted("b")) == (True, False)
    clock.elapsed = 599
    assert tries.exhausted("a")
    clock.elapsed = 600
    assert not tries.exhausted("a")


def test_a_name_that_is_unlocked_begins_from_nothing() -> None:
    tries = FailedAttempts(1, 600, FakeClock())
    tries.count("a")
    tries.forget("a")
    assert not tries.exhausted("a")
