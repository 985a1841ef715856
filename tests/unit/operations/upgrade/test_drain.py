"""Draining a gateway: no new connections, a bounded wait, and no wait where the gateway does not answer."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.install.context import Context
from mstunnel_setup.io.process import Completed
from mstunnel_setup.operations.upgrade.proof import connected, drain, reopen
from tests.unit.clocks import FakeClock
from tests.unit.fakes import FakeEngine, ports_of
from tests.unit.install.scenes import FakePrompter, context_of


@dataclass
class Gateway(FakeEngine):
    """A gateway's container: `left` is how many users each look finds, the last one for good."""

    left: list[int] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    rules: list[str] = field(default_factory=list)
    prompter: FakePrompter = field(default_factory=FakePrompter)
    gone: bool = False
    complaint: str = ""

    @property
    def context(self) -> Context:
        return context_of(ports_of(Path("/nowhere"), engine=self, clock=self.clock), self.prompter)

    @property
    def said(self) -> list[str]:
        return self.prompter.said

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Completed:
        if self.gone:
            raise EngineError("container-failed", "it does not run", "")
        if arguments[0] == "nft":
            self.rules.append(" ".join(arguments[1:]))
            return Completed(int(bool(self.complaint)), "", self.complaint)
        found = self.left.pop(0) if len(self.left) > 1 else self.left[0]
        return Completed(
            0,
            "[" + ",".join(f'{{"ID": {number}, "State": "connected"}}' for number in range(found)) + "]",
            "",
        )


def test_it_ends_with_the_last_session() -> None:
    gateway = Gateway(left=[2, 2, 1, 0])
    drain(gateway.context, 443, minutes=60)
    assert gateway.clock.naps == [5.0, 5.0, 5.0]
    assert gateway.said == ["Waiting for 2 sessions to end, at most 60 minutes."]


def test_it_ends_with_the_time_that_was_given() -> None:
    gateway = Gateway(left=[1])
    drain(gateway.context, 443, minutes=3)
    assert gateway.clock.elapsed == pytest.approx(180)


def test_an_empty_gateway_is_not_waited_for() -> None:
    gateway = Gateway(left=[0])
    drain(gateway.context, 443, minutes=60)
    assert (gateway.clock.naps, gateway.said) == ([], [])


def test_new_connections_are_refused_before_anybody_is_counted_and_the_health_check_is_not() -> None:
    gateway = Gateway(left=[0])
    drain(gateway.context, 8443, minutes=1)
    assert gateway.rules[-1].endswith("input iifname != lo tcp dport 8443 ct state new reject with tcp reset")
    reopen(gateway.context.host)
    assert gateway.rules[-1] == "delete table inet mstunnel_drain"


def test_a_gateway_that_does_not_answer_has_no_sessions_to_wait_for() -> None:
    gateway = Gateway(left=[1], gone=True)
    drain(gateway.context, 443, minutes=60)
    assert gateway.clock.naps == []
    assert gateway.said == ["Not waiting for sessions: it does not run."]
    with pytest.raises(EngineError):
        connected(gateway.context.host)


def test_without_refusing_new_connections_there_is_no_drain() -> None:
    gateway = Gateway(left=[1], complaint="Error: Could not process rule")
    drain(gateway.context, 443, minutes=60)
    assert gateway.clock.naps == []
    assert "Could not process rule" in gateway.said[0]
