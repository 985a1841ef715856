"""Sessions around an upgrade: the drain before it, and the wait for the devices after it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base.errors import EngineError, NetworkError
from mstunnel_setup.install.context import Context
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations.upgrade.proof import await_devices, connected, drain, reopen
from tests.unit.clocks import FakeClock
from tests.unit.fakes import FakeEngine, ports_of
from tests.unit.install.scenes import FakePrompter, context_of

PHONE, STRANGER = "192.0.2.7", "198.51.100.9"


@dataclass
class Log(Processes):
    """Prints the log of the container; empty, it takes too long."""

    text: str

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        if not self.text:
            raise ProcessError("program-timeout", "podman did not finish", "")
        return Completed(0, "", self.text)


@dataclass
class Gateway(FakeEngine):
    """A gateway's container: who is connected at each look, the last ones for good; its log; its rules."""

    connected: list[list[str]] = field(default_factory=list)
    log: str = ""
    code: int = 0
    gone: bool = False
    complaint: str = ""
    rules: list[str] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    prompter: FakePrompter = field(default_factory=FakePrompter)

    @property
    def said(self) -> list[str]:
        return self.prompter.said

    @property
    def context(self) -> Context:
        ports = ports_of(Path("/nowhere"), engine=self, clock=self.clock, processes=Log(self.log))
        return context_of(ports, self.prompter)

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Completed:
        if self.gone:
            raise EngineError("container-failed", "it does not run", "")
        if arguments[0] == "nft":
            self.rules.append(" ".join(arguments[1:]))
            return Completed(int(bool(self.complaint)), "", self.complaint)
        found = self.connected.pop(0) if len(self.connected) > 1 else self.connected[0]
        return Completed(self.code, json.dumps([user(address) for address in found]), "")


def user(address: str) -> dict[str, object]:
    """One row of `show users`; `?` marks a device that has not signed in."""
    state = "pre-auth" if address.endswith("?") else "connected"
    return {"ID": 1, "Remote IP": address.removesuffix("?"), "State": state}


def refusal(address: str) -> str:
    return f"worker: {address} worker-auth.c:1745: failed authentication for ''\n"


def test_a_device_that_is_back_already_is_not_waited_for() -> None:
    gateway = Gateway(connected=[[PHONE, STRANGER]])
    assert await_devices(gateway.context, (PHONE,)) == 2
    assert (gateway.clock.naps, gateway.said) == ([], [])


def test_the_wait_ends_with_the_first_device() -> None:
    gateway = Gateway(connected=[[], [], [PHONE]], log=refusal(PHONE))
    assert await_devices(gateway.context, (PHONE,)) == 1
    assert len(gateway.clock.naps) == 2
    assert gateway.said == ["Waiting for a device to come back, at most 60 s."]


@pytest.mark.parametrize("log", ["", "mstunnel-gateway: started\n", refusal(STRANGER)])
def test_devices_that_sleep_cost_a_minute_and_nothing_else(log: str) -> None:
    gateway = Gateway(connected=[[]], log=log)
    assert await_devices(gateway.context, (PHONE,)) == 0
    assert gateway.clock.elapsed == pytest.approx(60)


def test_a_release_that_turns_away_whom_the_earlier_one_let_in_is_found_out() -> None:
    gateway = Gateway(connected=[[], [f"{PHONE}?"], []], log=refusal(STRANGER) + refusal(PHONE))
    with pytest.raises(
        NetworkError, match="devices that were connected before are refused now, and none is accepted"
    ):
        await_devices(gateway.context, (PHONE,))


def test_a_gateway_that_cannot_be_queried_has_no_sessions_yet() -> None:
    gateway = Gateway(connected=[[PHONE]], code=1)
    assert await_devices(gateway.context, (PHONE,)) == 0


def test_who_is_connected_is_known_by_address() -> None:
    assert connected(Gateway(connected=[[PHONE, STRANGER]]).context.host) == (PHONE, STRANGER)


def test_it_ends_with_the_last_session() -> None:
    gateway = Gateway(connected=[[PHONE] * 2, [PHONE] * 2, [PHONE], []])
    drain(gateway.context, 443, minutes=60)
    assert gateway.clock.naps == [5.0, 5.0, 5.0]
    assert gateway.said == ["Waiting for 2 sessions to end, at most 60 minutes."]


def test_it_ends_with_the_time_that_was_given() -> None:
    gateway = Gateway(connected=[[PHONE]])
    drain(gateway.context, 443, minutes=3)
    assert gateway.clock.elapsed == pytest.approx(180)


def test_an_empty_gateway_is_not_waited_for() -> None:
    gateway = Gateway(connected=[[]])
    drain(gateway.context, 443, minutes=60)
    assert (gateway.clock.naps, gateway.said) == ([], [])


def test_new_connections_are_refused_before_anybody_is_counted_and_the_health_check_is_not() -> None:
    gateway = Gateway(connected=[[]])
    drain(gateway.context, 8443, minutes=1)
    assert gateway.rules[-1].endswith("input iifname != lo tcp dport 8443 ct state new reject with tcp reset")
    reopen(gateway.context.host)
    assert gateway.rules[-1] == "delete table inet mstunnel_drain"


def test_a_gateway_that_does_not_answer_has_no_sessions_to_wait_for() -> None:
    gateway = Gateway(connected=[[PHONE]], gone=True)
    drain(gateway.context, 443, minutes=60)
    assert gateway.clock.naps == []
    assert gateway.said == ["Not waiting for sessions: it does not run."]
    with pytest.raises(EngineError):
        connected(gateway.context.host)


def test_without_refusing_new_connections_there_is_no_drain() -> None:
    gateway = Gateway(connected=[[PHONE]], complaint="Error: Could not process rule")
    drain(gateway.context, 443, minutes=60)
    assert gateway.clock.naps == []
    assert "Could not process rule" in gateway.said[0]
