"""When the monitor looks again, and that it ends for the program that replaced its own."""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NoReturn

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.cli import monitor as command
from mstunnel_setup.containers.engine import ContainerState
from mstunnel_setup.exchange.mailbox import AgentRequest
from mstunnel_setup.exchange.release_catalogue import Digests
from mstunnel_setup.io import bundle
from mstunnel_setup.io.changes import Changes
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.operations.monitor import host_changes, loop, monitor_context, upgrades
from mstunnel_setup.operations.monitor.loop import GatewayMonitor
from mstunnel_setup.operations.monitor.own_program import OwnProgram
from tests.unit.clocks import FakeClock
from tests.unit.fakes import FakeEngine, FakeSystemd, ports_of
from tests.unit.install.scenes import container
from tests.unit.operations.monitor.test_restart_decision import ANSWER, write_reports
from tests.unit.operators import operator_of

PARTS = ("bin/python", "lib/module.pyc")


def one_file_of(payload: bytes) -> bytes:
    digest = hashlib.sha256(payload).hexdigest()
    return f"#!/bin/sh\ndigest='{digest}'\nexec true\n__PAYLOAD__\n".encode() + payload


def parts_of(version: str) -> dict[str, str]:
    """The files of a package and, last, their manifest."""
    parts = {path: f"{path} of {version}" for path in PARTS}
    rows = [f"{hashlib.sha256(text.encode()).hexdigest()} {len(text)} {path}" for path, text in parts.items()]
    return {**parts, "manifest": "\n".join([*rows, "whole\n"])}


@dataclass
class Installed:
    """Where the program is, and the clock by which it is replaced."""

    place: Path
    clock: FakeClock = field(default_factory=FakeClock)

    def write(self, version: str, *paths: str) -> None:
        """Put files of a version of the package there, all of them unless some are named."""
        for path, text in parts_of(version).items():
            if not paths or path in paths:
                (self.place / path).parent.mkdir(parents=True, exist_ok=True)
                (self.place / path).write_text(text)

    def replaced(self, program: OwnProgram) -> bool:
        return program.replaced(self.clock)


@pytest.fixture
def one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """A program that was started from its one file."""
    file = tmp_path / "mstunnel-setup"
    file.write_bytes(one_file_of(b"first"))
    (tmp_path / "complete").write_text(f"{hashlib.sha256(b'first').hexdigest()}\n")
    monkeypatch.setenv("MSTUNNEL_ONE_FILE", str(file))
    monkeypatch.setattr(bundle, "directory", lambda: tmp_path)
    return Installed(file)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    """A program that a package installed."""
    monkeypatch.delenv("MSTUNNEL_ONE_FILE", raising=False)
    monkeypatch.setattr(bundle, "directory", lambda: tmp_path / "libexec")
    installed = Installed(tmp_path / "libexec")
    installed.write("first")
    return installed


def test_new_program_is_noticed_after_ten_stable_seconds(
    one_file: Installed,
) -> None:
    program = OwnProgram()
    assert (one_file.replaced(program), one_file.clock.naps) == (False, [])
    one_file.place.write_bytes(one_file_of(b"second"))
    assert (one_file.replaced(program), one_file.clock.naps) == (True, [10.0])


def test_program_replaced_before_the_first_look_is_noticed(one_file: Installed) -> None:
    one_file.place.write_bytes(one_file_of(b"second"))
    assert one_file.replaced(OwnProgram())


def test_another_copy_of_the_same_program_changes_nothing(one_file: Installed) -> None:
    program = OwnProgram()
    one_file.place.unlink()
    one_file.place.write_bytes(one_file_of(b"first"))
    os.utime(one_file.place, (0, 0))
    assert (one_file.replaced(program), one_file.clock.naps) == (False, [])


def test_partly_copied_program_is_ignored_at_every_byte(one_file: Installed) -> None:
    program, whole = OwnProgram(), one_file_of(b"second")
    for end in range(len(whole)):
        one_file.place.write_bytes(whole[:end])
        assert not one_file.replaced(program), end
    one_file.place.unlink()
    assert (one_file.replaced(program), one_file.clock.naps) == (False, [])
    one_file.place.write_bytes(whole)
    assert one_file.replaced(program)


@pytest.mark.parametrize("third", [one_file_of(b"third"), one_file_of(b"second")[:-1], one_file_of(b"first")])
def test_a_file_that_changes_again_meanwhile_is_left_alone(one_file: Installed, third: bytes) -> None:
    program = OwnProgram()
    one_file.place.write_bytes(one_file_of(b"second"))
    one_file.clock.during = [lambda: one_file.place.write_bytes(third)]
    assert not one_file.replaced(program)


@pytest.mark.parametrize("first", [*PARTS, "manifest"])
def test_package_counts_as_replaced_once_it_is_complete(package: Installed, first: str) -> None:
    program = OwnProgram()
    assert not package.replaced(program)
    package.write("second", first)
    assert (package.replaced(program), package.clock.naps) == (False, [])
    package.write("second", *PARTS)
    (package.place / PARTS[0]).unlink()
    assert (package.replaced(program), package.clock.naps) == (False, [])
    package.write("second")
    assert (package.replaced(program), package.clock.naps) == (True, [10.0])


def test_a_package_that_is_removed_ends_no_monitor(package: Installed) -> None:
    program = OwnProgram()
    for path in (*PARTS, "manifest"):
        (package.place / path).unlink()
        assert not package.replaced(program)


def test_a_python_package_is_never_replaced(package: Installed) -> None:
    (package.place / "manifest").unlink()
    program = OwnProgram()
    package.write("second")
    assert not package.replaced(program)


class Replaced(OwnProgram):
    """A program that is replaced by the time the monitor looks for the third time."""

    looks = 0

    def replaced(self, clock: Clock) -> bool:
        self.looks += 1
        return self.looks >= 3


class StartedError(Exception):
    """This process was replaced: by which command, with which environment."""


class Recorded(Processes):
    """Processes that stay what they are."""

    def replace(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> NoReturn:
        raise StartedError(arguments, environment)


@pytest.fixture
def rounds_done(monkeypatch: pytest.MonkeyPatch) -> list[GatewayMonitor]:
    """The monitors that did a round, which does nothing here."""
    done: list[GatewayMonitor] = []

    def round_of(monitor: GatewayMonitor) -> None:
        done.append(monitor)

    monkeypatch.setattr(GatewayMonitor, "round", round_of)
    return done


def run(monitor: GatewayMonitor, root: Path) -> None:
    with Changes(Files(root)) as changes:
        monitor.run(changes)


def test_the_monitor_ends_between_two_rounds_and_says_why(
    tmp_path: Path, rounds_done: list[GatewayMonitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "__version__", "1.2.3")
    said: list[str] = []
    run(GatewayMonitor(operator_of(tmp_path, clock=FakeClock()), said.append, program=Replaced()), tmp_path)
    assert len(rounds_done) == 2
    assert said == ["program-replaced: version 1.2.3 was replaced; the monitor restarts as the new program"]


def test_a_request_that_was_taken_is_carried_out_first(
    tmp_path: Path, rounds_done: list[GatewayMonitor]
) -> None:
    def carry_out() -> None:
        monitor.upgrades.requested = None

    clock = FakeClock(during=[*[lambda: None] * 4, carry_out])
    monitor = GatewayMonitor(operator_of(tmp_path, clock=clock), lambda _line: None, program=Replaced())
    monitor.upgrades.requested = AgentRequest.to_upgrade(Digests("sha256:1", "sha256:2"))
    run(monitor, tmp_path)
    assert len(rounds_done) == 5 + 2


def test_the_program_starts_again_as_it_was_started(
    tmp_path: Path, rounds_done: list[GatewayMonitor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with the address of the service manager, which is kept from all other programs."""

    monkeypatch.setattr(OwnProgram, "replaced", lambda _program, _clock: len(rounds_done) == 2)
    monkeypatch.setattr("sys.argv", ["/usr/sbin/mstunnel_monitor", "--output", "json"])
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{tmp_path}")
    monkeypatch.setenv("MSTUNNEL_OUTPUT", "json")
    before = dict(os.environ)
    operator = operator_of(tmp_path, clock=FakeClock(), processes=Recorded())
    with pytest.raises(StartedError) as caught:
        command.program(once=False)(operator)
    assert caught.value.args == (["/usr/sbin/mstunnel_monitor", "--output", "json"], before)
    assert "NOTIFY_SOCKET" not in os.environ


WELL = replace(container(), process_id=100)


@dataclass
class Resting:
    """A host whose containers are well, with a clock that a wait for changes moves; none ever happens.

    `reporting` says whether the containers report after each wait, `passes` whether their health checks pass.
    After twenty waits the monitor is stopped.
    """

    root: Path
    monkeypatch: pytest.MonkeyPatch
    states: dict[str, ContainerState] = field(default_factory=lambda: {paths.SERVER: WELL, paths.AGENT: WELL})
    systemd: bool = True
    reporting: bool = True
    passes: bool = True
    clock: FakeClock = field(default_factory=lambda: FakeClock(elapsed=1000.0))
    waited: list[tuple[float, ...]] = field(default_factory=list)

    def report(self) -> None:
        write_reports(
            Files(self.root), f"time {int(self.clock.now().timestamp())}\n{ANSWER}", self.clock.now()
        )

    def wait(self, seconds: float, processes: Iterable[int] = ()) -> bool:
        self.waited.append((seconds, *processes))
        self.clock.elapsed += seconds
        if self.reporting:
            self.report()
        if len(self.waited) == 20:
            raise KeyboardInterrupt
        return False

    def run(self) -> None:
        """Let the monitor run until it is stopped, at the latest in its third pause."""
        self.report()
        engine, systemd = FakeEngine(self.states, passes=self.passes), FakeSystemd(runs=self.systemd)
        ports = ports_of(self.root, engine=engine, systemd=systemd, clock=self.clock)
        self.monkeypatch.setattr(monitor_context, "open_host", lambda _operator: nullcontext(ports))
        self.clock.during = [lambda: None, lambda: None, self.stop]
        monitor = GatewayMonitor(operator_of(self.root, clock=self.clock), lambda _text: None)
        with Changes(Files(self.root)) as changes:
            self.monkeypatch.setattr(changes, "wait", self.wait)
            with pytest.raises(KeyboardInterrupt):
                monitor.run(changes)

    def stop(self) -> None:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("host", "waits"),
    [
        ({"states": {paths.SERVER: WELL, paths.AGENT: replace(WELL, health="unhealthy")}}, 0),
        ({"states": {paths.SERVER: WELL}}, 0),
        ({"systemd": False}, 0),
        ({}, 14),
        # At the next look at the reports, and then at each, as long as its check passes.
        ({"reporting": False}, 2),
        ({"reporting": False, "passes": False}, 1),
    ],
    ids=["unhealthy", "stopped", "without systemd", "well", "silent", "silent and failing"],
)
def test_healthy_gateway_is_polled_rarely(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, host: dict[str, Any], waits: int
) -> None:
    resting = Resting(tmp_path, monkeypatch, **host)
    resting.run()
    assert (resting.clock.naps, resting.waited) == ([8.0] * 3, [(120.0, 100, 100)] * waits)


def fail(*_arguments: object) -> NoReturn:
    raise StepError("failed", "it failed")


@pytest.mark.parametrize(
    ("module", "work", "found", "waits"),
    [
        # Also work that is done once a minute.
        (host_changes, "own_addresses", fail, 0),
        # A server without internet is no reason to look at everything every eight seconds.
        (upgrades, "read_feed", fail, 14),
        (OwnProgram, "is_another", lambda _program: True, 2),
    ],
    ids=["work that fails", "a feed that is away", "a program that is being replaced"],
)
def test_what_keeps_a_monitor_from_its_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, module: object, work: str, found: object, waits: int
) -> None:
    files = Files(tmp_path)
    files.make_directories(paths.CONFIGURATION)
    files.write(paths.HOST_ADDRESSES, b"192.0.2.1\n")
    monkeypatch.setattr(module, work, found)
    resting = Resting(tmp_path, monkeypatch)
    resting.run()
    assert (resting.clock.naps, resting.waited) == ([8.0] * 3, [(120.0, 100, 100)] * waits)
