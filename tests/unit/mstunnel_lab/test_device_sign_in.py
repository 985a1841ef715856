"""Device sign-in: what a polling device gets, and limits on guessing."""

import pytest

from mstunnel_lab.entra.device_sign_in import judge_poll
from mstunnel_lab.entra.safeguards import FailedAttempts
from mstunnel_lab.records import DeviceCodeRecord, DeviceCodeStatus
from tests.unit.clocks import FakeClock

CODE = DeviceCodeRecord(
    id="d", user_code="U", client_id="c", scope="openid", expires_at=1000.0, last_poll=90.0
)


@pytest.mark.parametrize(
    ("status", "client", "now", "error"),
    [
        ("pending", "c", 95.0, "authorization_pending"),
        ("pending", "c", 91.0, "slow_down"),
        ("pending", "other", 95.0, "bad_verification_code"),
        ("pending", "c", 1000.0, "expired_token"),
        ("approved", "c", 95.0, None),
        ("approved", "c", 91.0, "slow_down"),
        ("approved", "c", 1000.0, "expired_token"),
        ("declined", "c", 91.0, "authorization_declined"),
        ("redeemed", "c", 95.0, "invalid_grant"),
        ("redeemed", "c", 2000.0, "invalid_grant"),
    ],
)
def test_answers(status: str, client: str, now: float, error: str | None) -> None:
    code = CODE.model_copy(update={"status": DeviceCodeStatus(status)})
    refusal = judge_poll(code, client, now, interval=5)
    assert (refusal.error if refusal else None) == error


def test_an_invented_code() -> None:
    refusal = judge_poll(None, "c", 95.0, interval=5)
    assert refusal is not None
    assert refusal.error == "bad_verification_code"


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
