"""HTTP of the endpoint probe over real sockets, and the client certificate that no server knows."""

import itertools
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.network import Limited, exchange, show_unknown_certificate


def answered(head: bytes) -> tuple[int, datetime | None]:
    """Return the response that is read from a server that sends `head` and closes the connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        # The kernel takes more at once than is read.
        theirs.settimeout(0)
        theirs.send(head)
        theirs.shutdown(socket.SHUT_WR)
        clock = Clock()
        found = exchange(Limited(ours, clock, clock.monotonic() + 10), "GET", "/x", {"Host": "h"})
        asked = theirs.recv(4096).split(b"\r\n")
        assert asked[0] == b"GET /x HTTP/1.1"
        assert b"Host: h" in asked
    return found


@contextmanager
def sending(pieces: Iterable[bytes], pause: float = 0.0) -> Iterator[tuple[socket.socket, list[int]]]:
    """Connect to a server that sends these pieces; the list has the number of bytes sent of each."""
    ours, theirs = socket.socketpair()
    sent: list[int] = []

    def send() -> None:
        with suppress(OSError):
            for piece in pieces:
                time.sleep(pause)
                theirs.sendall(piece)
                sent.append(len(piece))

    with theirs:
        thread = threading.Thread(target=send)
        with ours:
            thread.start()
            yield ours, sent
    thread.join(10)


def test_status_and_date_are_read() -> None:
    head = b"HTTP/1.1 403 Forbidden\r\ndate: Tue, 15 Nov 1994 08:12:31 GMT\r\n\r\nbody"
    assert answered(head) == (403, datetime(1994, 11, 15, 8, 12, 31, tzinfo=UTC))


@pytest.mark.parametrize("head", [b"", b"220 mail\r\n", b"HTTP/1.1 twohundred\r\n\r\n", b"\xff" * 99])
def test_response_that_is_not_http_has_no_status(head: bytes) -> None:
    assert answered(head) == (0, None)


@given(st.binary())
def test_any_response_is_read_without_an_exception(data: bytes) -> None:
    for answer in (data, b"HTTP/1.1 " + data, b"HTTP/1.1 200 OK\r\nDate: " + data + b"\r\n\r\n"):
        status, _ = answered(answer)
        assert 0 <= status <= 999


@pytest.mark.parametrize(
    "line", [b"x" * 1024, b"Header: " + b"x" * 60_000 + b"\r\n", b"\r\nHTTP/1.1 100 Continue\r\n" * 64]
)
def test_endless_header_is_read_up_to_the_limit(line: bytes) -> None:
    clock = Clock()
    endless = itertools.chain([b"HTTP/1.1 100 Continue\r\n"], itertools.repeat(line, 100_000))
    with sending(endless) as (connection, sent):
        exchange(Limited(connection, clock, clock.monotonic() + 10), "GET", "/", {"Host": "h"})
        # The kernel's buffer holds some more.
        assert sum(sent) < 1_000_000


def test_slow_response_ends_at_the_deadline() -> None:
    clock = Clock()
    began = clock.monotonic()
    with sending(itertools.repeat(b"x", 100), pause=0.1) as (connection, _sent), pytest.raises(TimeoutError):
        exchange(Limited(connection, clock, began + 1), "GET", "/", {"Host": "h"})
    assert clock.monotonic() - began < 3


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """Run a server that requests a certificate, accepts any, and serves a page about the connection."""
    openssl = shutil.which("openssl")
    assert openssl is not None
    trustme.CA().issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(tmp_path / "server.pem")
    command = [openssl, "s_server", "-accept", "127.0.0.1:0", "-cert", "server.pem", "-verify", "1", "-www"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if line.startswith("ACCEPT"))
        yield int(line.rpartition(":")[2])
        process.terminate()


def page(port: int, *, shown: bool, version: ssl.TLSVersion) -> str:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = version
    if shown:
        show_unknown_certificate(context)
    with (
        socket.create_connection(("127.0.0.1", port), 5) as plain,
        context.wrap_socket(plain) as secure,
    ):
        secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
        chunks = iter(lambda: secure.recv(4096), b"")
        return b"".join(chunks).decode()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_server_sees_the_client_certificate(server: int, version: ssl.TLSVersion) -> None:
    assert "mst-readiness" in page(server, shown=True, version=version)


def test_server_sees_no_certificate_if_none_is_sent(server: int) -> None:
    assert "mst-readiness" not in page(server, shown=False, version=ssl.TLSVersion.TLSv1_3)
