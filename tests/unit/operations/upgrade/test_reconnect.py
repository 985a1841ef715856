"""The new release waits for the devices of the earlier one: not for ever, and not with its eyes closed."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.install.context import Context
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations.upgrade.proof import await_devices, connected
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
    """A gateway's container: who is connected at each look, the last ones for good; and its log."""

    connected: list[list[str]] = field(default_factory=list)
    log: str = ""
    code: int = 0
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
