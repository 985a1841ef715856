"""Reports to the service manager, as systemd receives them: datagrams at a Unix socket."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from mstunnel_setup.io.systemd import ServiceManager


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "path" else f"@{tmp_path}/notify"


@pytest.fixture
def systemd(address: str) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(address.replace("@", "\0", 1) if address.startswith("@") else address)
        receiver.settimeout(5)
        yield receiver


def test_it_is_told_what_the_service_does(address: str, systemd: socket.socket) -> None:
    environment = {"NOTIFY_SOCKET": address, "PATH": "/bin"}
    service = ServiceManager.of(environment)
    service.ready()
    service.alive(1.5)
    service.status("first\nMAINPID=1")
    received = [systemd.recv(200).decode() for _ in range(3)]
    assert received == ["READY=1", "WATCHDOG_USEC=1500000\nWATCHDOG=1", "STATUS=first MAINPID=1"]
    assert environment == {"PATH": "/bin"}, "a program that is started later would report, too"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nonexistent/notify"}])
def test_without_anyone_who_listens_nothing_happens(environment: dict[str, str]) -> None:
    service = ServiceManager.of(environment)
    service.ready()
    service.alive(60)
    service.status("well")
    assert "NOTIFY_SOCKET" not in environment
