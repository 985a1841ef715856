"""systemd, and hosts without it: units, notifications of a service, and entries of the journal."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.io.errors import PROGRAM_FAILED
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.io.systemd import ServiceManager, Systemd, SystemJournal
from tests.refusals import refused


class Host(Processes):
    """Programs that print `output`; none is installed if `empty`."""

    def __init__(self, output: str = "", code: int = 0, *, empty: bool = False) -> None:
        self.output = output
        self.code = code
        self.empty = empty
        self.calls: list[Sequence[str]] = []

    def find(self, program: str) -> str | None:
        return None if self.empty else f"/usr/bin/{program}"

    def run(self, arguments: Sequence[str], *, check: bool = True, **_options: Any) -> Completed:
        self.calls.append(arguments)
        if check and self.code:
            raise PROGRAM_FAILED(command=" ".join(arguments), exit_code=self.code, output="no output")
        return Completed(self.code, self.output, "")


def test_no_unit_is_known_without_systemctl() -> None:
    host = Host(empty=True)
    systemd = Systemd(host, "/nowhere")
    assert not systemd.running()
    assert not systemd.known("mstunnel-server.service")
    assert not systemd.active("mstunnel-server.service")
    assert host.calls == []


def test_failed_systemctl_is_an_error_and_not_a_missing_unit(tmp_path: Path) -> None:
    with refused(EngineError, "systemd-failed") as caught:
        Systemd(Host(code=1), str(tmp_path)).known("mstunnel-server.service")
    assert "run the command again" in caught.value.hint


@pytest.mark.parametrize(
    ("act", "user", "command"),
    [
        (
            lambda systemd: systemd.start("x.service", "y.service"),
            False,
            "systemctl status x.service y.service",
        ),
        (lambda systemd: systemd.restart("x.service"), True, "systemctl --user status x.service"),
        (lambda systemd: systemd.daemon_reload(), False, "systemctl status"),
    ],
)
def test_error_of_systemctl_names_the_command_to_check(
    *, act: Callable[[Systemd], None], user: bool, command: str
) -> None:
    host = Host(code=1)
    with refused(EngineError, "systemd-failed") as caught:
        act(Systemd(host, user=user))
    assert " ".join(host.calls[-1]) in caught.value.message
    assert caught.value.hint.startswith(f"Check `{command}` and `journalctl -xe`")


@pytest.mark.parametrize(
    ("shown", "reloads"),
    [
        ("LoadState=loaded\nNeedDaemonReload=no\n", 0),
        ("LoadState=loaded\nNeedDaemonReload=yes\n", 1),
        # A unit that a generator will make, or whose file was removed.
        ("LoadState=not-found\nNeedDaemonReload=no\n", 1),
        ("", 1),
    ],
)
def test_changed_unit_files_are_reloaded(shown: str, reloads: int) -> None:
    host = Host(shown)
    Systemd(host).reload_if_changed("x.service")
    assert host.calls[1:] == [("systemctl", "daemon-reload")] * reloads


def test_systemd_runs_if_its_directory_exists(tmp_path: Path) -> None:
    assert Systemd(Host(), str(tmp_path)).running()
    assert not Systemd(Host(), str(tmp_path / "none")).running()


@pytest.mark.parametrize(
    ("state", "stopped"), [("inactive", True), ("active", False), ("activating", False), ("failed", False)]
)
def test_restarting_unit_does_not_count_as_stopped(state: str, stopped: bool) -> None:
    assert Systemd(Host(f"{state}\n", code=3)).stopped("x.service") is stopped


def test_restarts_of_a_unit_are_read_from_systemd() -> None:
    assert Systemd(Host("4\n")).restarts("x.service") == 4
    assert Systemd(Host("", code=1)).restarts("x.service") == 0


@pytest.mark.parametrize(
    ("output", "code", "runs", "user", "known"),
    [
        ("loaded\n", 0, True, False, True),
        ("masked\n", 0, True, False, True),
        ("not-found\n", 0, True, False, False),
        # systemctl is installed but systemd does not run; and an account whose user manager has ended.
        ("", 1, False, False, False),
        ("", 1, True, True, False),
    ],
)
def test_unit_is_known_unless_systemd_does_not_find_it(
    tmp_path: Path, *, output: str, code: int, runs: bool, user: bool, known: bool
) -> None:
    marker = str(tmp_path) if runs else "/nowhere"
    assert Systemd(Host(output, code), marker, user=user).known("x.service") is known


def test_stopped_unit_is_not_listed_as_failed() -> None:
    """Check reset-failed: `systemctl --failed` lists a failed unit even if its file is gone."""
    host = Host()
    Systemd(host).stop("x.service")
    assert host.calls == [
        ("systemctl", "stop", "--", "x.service"),
        ("systemctl", "reset-failed", "--", "x.service"),
    ]


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}/notify"


@pytest.fixture
def systemd(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        receiver.settimeout(5)
        yield receiver


def test_service_notifies_systemd(address: str, systemd: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": address, "PATH": "/bin"}
    service = ServiceManager.of(environment)
    service.ready()
    service.alive(1.5)
    service.status("first\nMAINPID=1")
    received = [systemd.recv(200).decode() for _ in range(3)]
    assert received == ["READY=1", "WATCHDOG_USEC=1500000\nWATCHDOG=1", "STATUS=first MAINPID=1"]
    assert environment == {"PATH": "/bin"}, "a program that is started later would report, too"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nonexistent/notify"}])
def test_notification_without_a_listener_is_ignored(environment: dict[str, str]) -> None:
    service = ServiceManager.of(environment)
    service.ready()
    service.alive(60)
    service.status("well")
    assert "NOTIFY_SOCKET" not in environment


def fields_of(datagram: bytes) -> dict[str, str]:
    """Return the fields of an entry; each has its length before its value."""
    found = {}
    while datagram:
        name, _, rest = datagram.partition(b"\n")
        size = int.from_bytes(rest[:8], "little")
        found[name.decode()] = rest[8 : 8 + size].decode()
        assert rest[8 + size : 9 + size] == b"\n"
        datagram = rest[9 + size :]
    return found


def test_journal_entry_has_exactly_its_fields(tmp_path: Path) -> None:
    fields = {"MESSAGE": "first\nMESSAGE_ID=1", "PRIORITY": "4", "MSTUNNEL_CODE": "ä"}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "socket"))
        receiver.settimeout(5)
        assert SystemJournal(str(tmp_path / "socket")).send(fields)
        assert fields_of(receiver.recv(4096)) == fields


def test_missing_journal_is_reported(tmp_path: Path) -> None:
    assert not SystemJournal(str(tmp_path / "socket")).send({"MESSAGE": "x"})


def test_journal_is_used_if_the_stream_is_connected_to_it(tmp_path: Path) -> None:
    with (tmp_path / "stream").open("w") as stream:
        state = os.fstat(stream.fileno())
        here = {"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino}"}
        assert SystemJournal.of(here, stream.fileno()) is not None
        # Through a shell or a file, the stream is for a person to read.
        for elsewhere in ({}, {"JOURNAL_STREAM": f"{state.st_dev}:{state.st_ino + 1}"}):
            assert SystemJournal.of(elsewhere, stream.fileno()) is None
