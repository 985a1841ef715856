"""Listening programs, from the kernel's socket tables."""

import socket
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.containers.listeners import Listener, listening, parse
from mstunnel_setup.io.errors import PERMISSION_DENIED
from mstunnel_setup.io.files import Files

_HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"


def _row(address: str, port: int, state: str, inode: int) -> str:
    local, zero = f"{address}:{port:04X}", "00000000"
    return f"   0: {local} {zero}:0000 {state} {zero}:{zero} 00:{zero} {zero} 0 0 {inode} 1\n"


_TABLES = {
    "tcp": _row("00000000", 443, "0A", 100)
    + _row("0100007F", 443, "01", 101)
    + _row("0100007F", 80, "0A", 102),
    "tcp6": _row("00000000000000000000000001000000", 443, "0A", 103),
    "udp": _row("0A00000A", 443, "07", 104) + _row("0A00000A", 443, "01", 105),
}


@pytest.fixture
def host(tmp_path: Path) -> Path:
    for name, rows in _TABLES.items():
        table = tmp_path / "proc/net" / name
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(_HEAD + rows)
    descriptors = tmp_path / "proc/17/fd"
    descriptors.mkdir(parents=True)
    (descriptors / "3").symlink_to("socket:[100]")
    (descriptors / "4").symlink_to("/dev/null")
    (tmp_path / "proc/17/comm").write_text("nginx\n")
    return tmp_path


def test_listeners_are_listed_with_their_programs(host: Path) -> None:
    assert listening(Files(host), 443) == (
        Listener("tcp", "0.0.0.0", 443, "nginx", 17),
        Listener("tcp", "::1", 443),
        Listener("udp", "10.0.0.10", 443),
    )


def test_processes_of_others_are_skipped(host: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check an account, which is told the owner of a port only if it is one of its own processes."""
    own = host / "proc/18/fd"
    own.mkdir(parents=True)
    (own / "3").symlink_to("socket:[104]")
    (host / "proc/18/comm").write_text("pasta\n")
    names = Files.names

    def refuse(files: Files, path: str) -> list[str]:
        if path == "/proc/17/fd":
            raise PERMISSION_DENIED(verb="list", path=path, reason="Permission denied", account="gateway")
        return names(files, path)

    monkeypatch.setattr(Files, "names", refuse)
    assert listening(Files(host), 443) == (
        Listener("tcp", "0.0.0.0", 443),
        Listener("tcp", "::1", 443),
        Listener("udp", "10.0.0.10", 443, "pasta", 18),
    )


def test_connection_is_not_a_listener(host: Path) -> None:
    assert [inode for _address, _port, inode in parse(_HEAD + _TABLES["udp"], "udp")] == [104]


def test_free_port_has_no_listener(host: Path) -> None:
    assert listening(Files(host), 8443) == ()
    assert listening(Files(host / "proc/17"), 443) == ()


def test_listener_of_this_process_is_found() -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        port = server.getsockname()[1]
        (found,) = listening(Files(), port)
    assert (found.protocol, found.address, found.port) == ("tcp", "127.0.0.1", port)
    assert found.pid is not None
    assert found.program


@given(st.text())
def test_parser_accepts_any_short_text(text: str) -> None:
    assert parse(text, "tcp") == ()
