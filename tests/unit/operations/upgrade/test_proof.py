"""What proves a release: sessions before and after an upgrade, and the internal address reached again."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, NetworkError
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.exchange.gateway_report import REPORT
from mstunnel_setup.install.run import Run
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.operations.upgrade.proof import (
    await_devices,
    connected,
    drain,
    reached_address,
    reaches_inside,
    refused_addresses,
    reopen,
)
from mstunnel_setup.transaction.journal import Journal
from tests.unit.clocks import START, FakeClock
from tests.unit.fakes import FakeEngine, ports_of
from tests.unit.install.scenes import FakePrompter, run_on

PHONE, LAPTOP, STRANGER = "192.0.2.7", "2001:db8::7", "198.51.100.9"


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
    def run(self) -> Run:
        ports = ports_of(Path("/nowhere"), engine=self, clock=self.clock, processes=Log(self.log))
        return run_on(ports, Journal(ports.files, self.clock, paths.STATE), self.prompter)

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


@pytest.mark.parametrize(("seen", "back", "naps"), [([[PHONE, STRANGER]], 2, 0), ([[], [], [PHONE]], 1, 2)])
def test_the_wait_ends_with_the_first_device(seen: list[list[str]], back: int, naps: int) -> None:
    gateway = Gateway(connected=seen, log=refusal(PHONE))
    assert await_devices(gateway.run, (PHONE,)) == back
    assert len(gateway.clock.naps) == naps
    assert gateway.said == (["Waiting for a device to come back, at most 60 s."] if naps else [])


@pytest.mark.parametrize("log", ["", "mstunnel-gateway: started\n", refusal(STRANGER)])
def test_devices_that_sleep_cost_a_minute_and_nothing_else(log: str) -> None:
    gateway = Gateway(connected=[[]], log=log)
    assert await_devices(gateway.run, (PHONE,)) == 0
    assert gateway.clock.elapsed == pytest.approx(60)


def test_release_that_refuses_known_devices_is_rejected() -> None:
    gateway = Gateway(connected=[[], [f"{PHONE}?"], []], log=refusal(STRANGER) + refusal(PHONE))
    with pytest.raises(
        NetworkError, match="devices that were connected before are refused now, and none is accepted"
    ):
        await_devices(gateway.run, (PHONE,))


def test_a_gateway_that_cannot_be_queried_has_no_sessions_yet() -> None:
    gateway = Gateway(connected=[[PHONE]], code=1)
    assert await_devices(gateway.run, (PHONE,)) == 0


def test_who_is_connected_is_known_by_address() -> None:
    assert connected(Gateway(connected=[[PHONE, STRANGER]]).run.host) == (PHONE, STRANGER)
    with pytest.raises(EngineError):
        connected(Gateway(gone=True).run.host)


@pytest.mark.parametrize(
    ("gateway", "minutes", "naps", "said"),
    [
        (
            Gateway(connected=[[PHONE] * 2, [PHONE] * 2, [PHONE], []]),
            *(60, 3, ["Waiting for 2 sessions to end, at most 60 min."]),
        ),
        (Gateway(connected=[[PHONE]]), 3, 36, ["Waiting for 1 session to end, at most 3 min."]),
        (Gateway(connected=[[]]), 60, 0, []),
        (Gateway(connected=[[PHONE]], gone=True), 60, 0, ["Not waiting for sessions: it does not run."]),
        (
            Gateway(connected=[[PHONE]], complaint="Error: no rule"),
            *(60, 0),
            ["Not waiting for sessions: the gateway cannot refuse new connections: Error: no rule."],
        ),
    ],
    ids=["until the last session", "until its end", "not at all", "no gateway", "new ones are not refused"],
)
def test_how_long_a_drain_lasts(gateway: Gateway, minutes: int, naps: int, said: list[str]) -> None:
    drain(gateway.run, 443, minutes=minutes)
    assert (gateway.clock.naps, gateway.said) == ([5.0] * naps, said)


def test_drain_refuses_devices_but_not_the_health_check() -> None:
    gateway = Gateway(connected=[[]])
    drain(gateway.run, 8443, minutes=1)
    assert gateway.rules[-1].endswith("input iifname != lo tcp dport 8443 ct state new reject with tcp reset")
    reopen(gateway.run.host)
    assert gateway.rules[-1] == "delete table inet mstunnel_drain"


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
worker: {STRANGER} worker-http.c:421: User-agent: 'worker: 203.0.113.77 failed authentication for x'
"""
    assert refused_addresses(log) == {PHONE, LAPTOP}


URL = "http://intranet.example/"
WELL = {"http_code": 200}
REFUSED = {"http_code": 0, "exitcode": 7, "errormsg": "Failed to connect"}


class Scene:
    """A gateway that started at START."""

    def __init__(self, root: Path) -> None:
        self.files = Files(root)
        self.files.make_directories(paths.SERVER_STATE)
        self.files.make_directories(paths.CONFIGURATION)
        self.files.write(paths.PROBE_URL, f"{URL}\n".encode())
        self.clock = FakeClock()
        state = ContainerState("running", "healthy", started_at=START + timedelta(milliseconds=700))
        engine = FakeEngine({paths.SERVER: state})
        host = ports_of(root, engine=engine, clock=self.clock)
        self.run = run_on(host, Journal(self.files, self.clock, paths.STATE))

    def report(self, account: dict[str, Any], after: float = 0, url: str = URL) -> None:
        """The gateway has tried, so many seconds after its start."""
        at = int(START.timestamp() + after)
        self.files.write(REPORT, f"time {at}\nprobe {at} {url} {json.dumps(account)}\n".encode())


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.mark.parametrize(
    ("account", "minutes", "given", "counts"),
    [
        (WELL, 0, f"{URL}\n", True),
        (REFUSED, 0, f"{URL}\n", False),
        (None, 0, f"{URL}\n", False),
        # Only what was reached lately has to be reached again.
        (WELL, -12, f"{URL}\n", False),
        (WELL, -10, f"{URL}\n", True),
        (WELL, 10, f"{URL}\n", True),
        (WELL, 12, f"{URL}\n", False),
        # An address that the host did not write: a gateway that was taken over would prevent every upgrade.
        (WELL, 0, "", False),
        (WELL, 0, "\n", False),
        (WELL, 0, "http://moved.example/\n", False),
        (WELL, 0, None, False),
    ],
)
def test_only_an_address_reached_before_must_be_reached(
    scene: Scene, account: dict[str, Any] | None, minutes: int, given: str | None, counts: bool
) -> None:
    if given is None:
        scene.files.remove(paths.PROBE_URL)
    else:
        scene.files.write(paths.PROBE_URL, given.encode())
    if account is not None:
        scene.report(account, after=60 * minutes)
    assert reached_address(scene.files, START) == (URL if counts else "")


def test_what_is_no_report_prevents_no_upgrade(scene: Scene) -> None:
    scene.files.make_directories(REPORT)
    assert reached_address(scene.files, START) == ""


def test_what_the_earlier_release_reached_proves_nothing(scene: Scene) -> None:
    scene.report(WELL, after=-1)
    scene.clock.during = [lambda: None, lambda: scene.report(WELL, after=6)]
    reaches_inside(scene.run, URL)
    assert len(scene.clock.naps) == 2


def test_unreachable_address_is_reported_with_curls_message(scene: Scene) -> None:
    scene.report(REFUSED)
    with pytest.raises(NetworkError, match=r"can no longer reach .*: Failed to connect \(curl 7\)"):
        reaches_inside(scene.run, URL)
    assert scene.clock.elapsed > 60


def test_another_address_of_the_site_is_not_waited_for(scene: Scene) -> None:
    scene.report(REFUSED, url="http://moved.example/")
    reaches_inside(scene.run, URL)
    assert scene.clock.naps == []
