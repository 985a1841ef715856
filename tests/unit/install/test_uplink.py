"""Step `uplink`: what root prepares, and where it prepares nothing."""

import pytest

from mstunnel_setup.install.steps import account
from tests.unit.install.scenes import Scene


def test_without_it_the_administrator_reads_why_and_nothing_is_changed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account, "obstacle", lambda _files, _processes: "firewalld filters forwarded packets")
    assert account.UPLINK.decide(account.UPLINK.gather(scene.context())) == ()
    (said,) = scene.prompter.said
    assert said.startswith(
        "No uplink for the gateway: firewalld filters forwarded packets. Its packets pass "
    )
