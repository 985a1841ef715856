"""HTTP to a service of this machine: what it answers, and what is no answer."""

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mstunnel_setup.host.local_client import LocalService

_SECONDS = 5.0


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[bytes, int], LocalService]]:
    """Starts a service that reads so many bytes, writes these and hangs up."""
    path, threads = tmp_path / "service.sock", list[threading.Thread]()

    def serve(answer: bytes, read: int = 1) -> LocalService:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()

        def answer_once() -> None:
            with listener, listener.accept()[0] as connection:
                connection.recv(read)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)

        threads.append(threading.Thread(target=answer_once))
        threads[0].start()
        return LocalService(f"unix://{path}")

    yield serve
    for thread in threads:
        thread.join(_SECONDS)


def test_a_body_comes_in_pieces(served: Callable[..., LocalService]) -> None:
    service = served(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n", 1000
    )
    with service.ask("GET", "/", _SECONDS) as response:
        response.limit(1.0)
        assert (response.status, [*response.pieces(2)]) == (200, [b"ab", b"c", b"de"])


def test_a_refusal_of_a_body_that_is_not_read_is_heard(served: Callable[..., LocalService]) -> None:
    service = served(b"HTTP/1.1 500 Full\r\nContent-Length: 4\r\n\r\nfull")
    body = (bytes(1 << 20) for _ in range(64))
    with service.ask("POST", "/images/load", _SECONDS, body=body) as response:
        assert (response.status, response.read()) == (500, b"full")


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000 + b"\r\n",
    ],
)
def test_what_is_no_answer_is_an_error_of_the_system(
    served: Callable[..., LocalService], answer: bytes
) -> None:
    service = served(answer, 1000)
    with pytest.raises(OSError, match=r"."), service.ask("GET", "/", _SECONDS) as response:
        response.read()


def test_silence_ends_in_time(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        service = LocalService(f"unix://{tmp_path}/silent.sock")
        with pytest.raises(TimeoutError), service.ask("GET", "/", 0.1):
            pass


@pytest.mark.parametrize(
    "address", ["", "unix://", "unix://run/x.sock", "tcp://", "tcp://host/path", "ssh://host"]
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        LocalService(address)
