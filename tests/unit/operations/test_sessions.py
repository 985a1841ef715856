"""`mst-cli server show|disconnect|unban|capture` and `logs`, with prepared output of occtl."""

import json
import stat
import tracemalloc
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeAlias

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError, NetworkError, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli import mst_cli
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.containers.engine import ContainerState, LogOptions
from mstunnel_setup.gateway.occtl import NOT_FOUND
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed
from mstunnel_setup.operations import component, sessions
from tests.refusals import refused
from tests.unit.fakes import FakeEngine, ports_of
from tests.unit.install.scenes import FakePrompter
from tests.unit.operators import operator_of
from tests.unit.results import list_of

OPERATOR = operator_of(Path("/"), FakePrompter())


@dataclass
class Gateway(FakeEngine):
    """An engine with one container: commands end as `finished`, and `log` and `events` print its output."""

    finished: Completed = field(default_factory=lambda: Completed(0, "", ""))
    running: bool = True
    log: tuple[str, ...] = ("printf", r"one\ntwo \033[31m\nthree")
    events: tuple[str, ...] = ("printf", r"connected alice\n")
    asked: list[Sequence[str]] = field(default_factory=list)

    def inspect(self, name: str) -> ContainerState:
        return ContainerState("running", "healthy", process_id=42 if self.running else None)

    def execute(self, name: str, arguments: Sequence[str], timeout: float) -> Completed:
        self.asked.append((name, *arguments))
        return self.finished

    def execute_command(self, name: str, arguments: Sequence[str]) -> tuple[str, ...]:
        return self.events

    def logs_command(self, name: str, options: LogOptions) -> tuple[str, ...]:
        if options.lines is None:
            return self.log
        return ("sh", "-c", f'"$@" | tail --lines={options.lines}', "sh", *self.log)


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Gateway:
    engine = Gateway()
    ports = ports_of(tmp_path, engine=engine)
    for module in (component, sessions):
        monkeypatch.setattr(module, "open_gateway", lambda _operator: nullcontext(ports))
    return engine


@pytest.mark.parametrize(
    ("command", "code", "output", "asked", "result"),
    [
        (
            partial(sessions.disconnect, kind="user", value="alice"),
            *(0, "user 'alice' was disconnected\n", "disconnect user alice"),
            ("changed", {"ended": {"user": "alice"}}),
        ),
        (
            partial(sessions.disconnect, kind="id", value="7"),
            *(1, "could not disconnect ID '7'\n", "disconnect id 7"),
            ("unchanged", {"ended": None}),
        ),
        (
            partial(sessions.unban, address="2001:0db8:0:0::1"),
            *(0, "IP '2001:db8::1' was unbanned\n", "unban ip 2001:db8::1"),
            ("changed", {"address": "2001:db8::1"}),
        ),
    ],
    ids=["user", "unknown id", "address in its shortest form"],
)
def test_disconnect_and_unban_run_occtl(
    *,
    gateway: Gateway,
    command: Callable[[Operator], Result],
    code: int,
    output: str,
    asked: str,
    result: tuple[str, object],
) -> None:
    gateway.finished = Completed(code, output, "")
    found = command(OPERATOR)
    assert gateway.asked == [(paths.SERVER, "occtl", "--no-pager", *asked.split())]
    assert (found.status, found.data) == result


def test_failing_occtl_is_reported(gateway: Gateway) -> None:
    said = "could not send message; possibly insufficient permissions or server is offline.\n"
    gateway.finished = Completed(1, "", said)
    with refused(EngineError, "occtl-failed", "server is offline"):
        sessions.unban(OPERATOR, "192.0.2.1")


def test_occtl_is_not_run_in_a_stopped_gateway(gateway: Gateway) -> None:
    gateway.running = False
    with refused(EngineError, "server-not-running"):
        sessions.disconnect(OPERATOR, "user", "alice")
    assert gateway.asked == []


@pytest.mark.parametrize("name", ["alice bob", "alice\nreload", ""])
def test_name_that_occtl_would_split_is_refused(gateway: Gateway, name: str) -> None:
    with pytest.raises(UsageError):
        sessions.disconnect(OPERATOR, "user", name)
    assert gateway.asked == []


def test_unknown_user_gives_an_empty_list(gateway: Gateway) -> None:
    gateway.finished = Completed(NOT_FOUND, "", "")
    result = sessions.show(operator_of(Path("/nowhere"), json=True), ["user", "nobody"])
    assert (result.status, result.data) == ("ok", {"rows": []})


@pytest.mark.usefixtures("gateway")
def test_log_as_json_is_in_the_envelope(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = component.logs(operator_of(tmp_path, json=True), paths.SERVER, LogOptions())
    assert list_of(result, "lines")[::2] == ["one", "three"]
    assert capsys.readouterr().out == ""


@pytest.mark.usefixtures("gateway")
@pytest.mark.parametrize(
    ("options", "lines"),
    [([], ["one", "two", "three"]), (["--tail", "2"], ["two", "three"]), (["--tail", "0"], [])],
)
def test_log_is_limited_to_the_last_lines(
    capsys: pytest.CaptureFixture[str], options: list[str], lines: list[str]
) -> None:
    assert run_app(mst_cli.app, "mst-cli", ["server", "logs", *options]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == lines


@pytest.mark.usefixtures("gateway")
def test_followed_log_is_printed_line_by_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    operator = operator_of(tmp_path, json=True)
    result = component.logs(operator, paths.SERVER, LogOptions(follow=True))
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["line"] for row in printed][::2] == ["one", "three"]
    assert (result.status, result.data) == ("ok", {})
    sessions.show(operator, ["events"])
    assert json.loads(capsys.readouterr().out) == {"line": "connected alice"}


def test_control_characters_in_events_are_removed(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """occtl prints names without removing control characters."""
    gateway.events = ("printf", r"connected \033]0;owned\007\033[2Jalice\n")
    sessions.show(operator_of(tmp_path), ["events"])
    assert capsys.readouterr().out == "connected ]0;owned[2Jalice\n"


def test_both_streams_of_a_log_go_to_standard_output(
    gateway: Gateway, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gateway.log = ("sh", "-c", r"echo to the one; printf 'to the \033[31mother\n' >&2")
    component.logs(operator_of(tmp_path), paths.SERVER, LogOptions())
    assert capsys.readouterr() == ("to the one\nto the [31mother\n", "")


HEADER, PACKET = b"h" * 24, b"p" * 1000
Capture: TypeAlias = Callable[..., Result]


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a server with one network interface, and a temporary directory for files."""
    monkeypatch.setattr(sessions, "open_gateway", lambda _operator: nullcontext(ports_of(tmp_path)))
    monkeypatch.setattr(sessions, "server_process", lambda _ports: 1)
    monkeypatch.setattr(sessions, "enter_network_of", lambda _process: None)
    monkeypatch.setattr(sessions, "interfaces", lambda: ["tun0"])
    monkeypatch.setattr(Files, "given", property(lambda _files: Files(tmp_path)))
    return tmp_path


@pytest.fixture
def capture(disk: Path, monkeypatch: pytest.MonkeyPatch) -> Capture:
    """Return a function that records these pieces into a file of `disk`, or raises an error among them."""

    def run(pieces: Iterable[bytes | BaseException], device: str = "tun0", largest: int = 10_000) -> Result:
        def record(_device: str, _seconds: float, _size: int) -> Iterator[bytes]:
            for piece in pieces:
                if isinstance(piece, BaseException):
                    raise piece
                yield piece

        monkeypatch.setattr(sessions, "record", record)
        return sessions.capture(OPERATOR, device, "/c.pcap", seconds=1, largest=largest)

    return run


def test_finished_capture_is_readable_by_its_owner_only(disk: Path, capture: Capture) -> None:
    seen: list[dict[str, int]] = []

    def pieces() -> Iterator[bytes]:
        for piece in (HEADER, PACKET, PACKET):
            yield piece
            seen.append({path.name: path.stat().st_size for path in disk.iterdir()})

    result = capture(pieces())
    assert [list(sizes.values()) for sizes in seen] == [[24], [1024], [2024]], "it grows on the disk"
    assert not any("c.pcap" in sizes for sizes in seen), "under another name until it is whole"
    assert (result.data["packets"], result.data["bytes"]) == (2, 2024)
    assert (disk / "c.pcap").read_bytes() == HEADER + PACKET + PACKET
    assert stat.S_IMODE((disk / "c.pcap").stat().st_mode) == 0o600
    assert [path.name for path in disk.iterdir()] == ["c.pcap"]


def test_large_capture_is_not_held_in_memory(disk: Path, capture: Capture) -> None:
    tracemalloc.start()
    capture([HEADER, *[bytes(1_000_000)] * 50], largest=100_000_000)
    _now, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (disk / "c.pcap").stat().st_size == 50_000_024
    assert most < 5_000_000


def test_capture_file_is_opened_before_entering_namespaces(
    disk: Path, capture: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a rootless container's user namespace, the file's directories appear to belong to nobody."""
    opened: list[int] = []
    monkeypatch.setattr(sessions, "enter_network_of", lambda _process: opened.append(len([*disk.iterdir()])))
    capture([HEADER, PACKET])
    assert opened == [1]


def test_interrupted_capture_keeps_whole_packets(disk: Path, capture: Capture) -> None:
    assert capture([HEADER, PACKET, KeyboardInterrupt()]).data["packets"] == 1
    assert (disk / "c.pcap").read_bytes() == HEADER + PACKET


def test_unknown_interface_leaves_no_file(disk: Path, capture: Capture) -> None:
    with refused(UsageError, "interface-unknown", "no interface tun9"):
        capture([HEADER, PACKET], "tun9")
    assert list(disk.iterdir()) == []


@pytest.mark.parametrize(
    "pieces",
    [[KeyboardInterrupt()], [HEADER, PACKET, NetworkError("capture-failed", "cannot record tun0")]],
    ids=["no packet", "a failure"],
)
def test_failed_or_empty_capture_leaves_no_file(
    disk: Path, capture: Capture, pieces: list[bytes | BaseException]
) -> None:
    with pytest.raises((KeyboardInterrupt, NetworkError)) as caught:
        capture(pieces)
    assert caught.value is pieces[-1]
    assert list(disk.iterdir()) == []
