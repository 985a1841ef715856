"""Responses to a waiting device (RFC 8628 section 3.5)."""

import pytest

from mstunnel_lab.entra.device_sign_in import judge_poll
from mstunnel_lab.records import DeviceCodeRecord, DeviceCodeStatus

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
