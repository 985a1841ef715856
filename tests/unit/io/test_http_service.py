"""HTTP with a service of this machine: a request, its answer, and what goes wrong between them."""

import contextlib
import json
import socketserver
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.io.http_service import Answer, HttpService, ServiceError
from tests.serving import free_port, serving

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n[1, 2,3]"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Script:
    """What a server does: it notes each request, then sends `pieces`, with `pause` seconds before each."""

    def __init__(self, *pieces: bytes, pause: float = 0.0) -> None:
        self.pieces = pieces
        self.pause = pause
        self.asked: list[str] = []
        self.headers: dict[str, str] = {}
        self.body = b""

    def handle(self, request: Any, stream: Any) -> None:
        method, target, _ = stream.readline().decode().split()
        self.asked.append(f"{method} {target}")
        lines = iter(stream.readline, b"\r\n")
        self.headers = {
            name.lower(): value.strip() for name, _, value in (line.decode().partition(":") for line in lines)
        }
        if self.headers.get("transfer-encoding") == "chunked":
            while size := int(stream.readline(), 16):
                self.body += stream.read(size)
                stream.readline()
        for piece in self.pieces:
            time.sleep(self.pause)
            request.sendall(piece)


@contextmanager
def unix(script: Script, directory: Path) -> Iterator[str]:
    """The address of a server at a Unix socket."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            script.handle(self.request, self.rfile)

    path = directory / "service.sock"
    path.unlink(missing_ok=True)
    with serving(socketserver.UnixStreamServer(str(path), Handler)):
        yield f"unix://{path}"


def service(address: str, timeout: float = 5.0) -> HttpService:
    return HttpService(address, "/v4.0.0/libpod", timeout)


def test_a_request_has_the_version_of_the_interface_and_its_parameters(tmp_path: Path) -> None:
    script = Script(OK)
    with unix(script, tmp_path) as address:
        assert service(address).get("/images/registry.example:5000/a/b@sha256:1/json").json() == [1, 2, 3]
        service(address).delete("/containers/a box", force="true", v="a&b")
    assert script.asked == [
        "GET /v4.0.0/libpod/images/registry.example:5000/a/b@sha256:1/json",
        "DELETE /v4.0.0/libpod/containers/a%20box?force=true&v=a%26b",
    ]
    assert script.headers["host"] == "localhost"


@pytest.mark.parametrize("body", [b'["Version"]', b'{"Version": 5}', b"{}", b"null"])
def test_a_text_that_an_answer_does_not_have_is_an_error(body: bytes) -> None:
    assert Answer(200, b'{"Version": "5.4.2"}').text("Version") == "5.4.2"
    with pytest.raises(ServiceError, match="the answer has no Version"):
        Answer(200, body).text("Version")


def test_a_service_is_reached_by_tcp_too() -> None:
    script, port = Script(OK), free_port()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            script.handle(self.request, self.rfile)

    with serving(socketserver.TCPServer(("127.0.0.1", port), Handler)):
        assert service(f"tcp://127.0.0.1:{port}").get("/version").ok


@pytest.mark.parametrize(
    "address",
    ["", "/run/podman.sock", "unix://", "tcp://host", "tcp://host:port", "ssh://root@host/run/podman.sock"],
)
def test_any_other_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        service(address)


def test_an_archive_is_sent_piece_by_piece(tmp_path: Path) -> None:
    script = Script(OK)
    with unix(script, tmp_path) as address:
        assert service(address).upload("/images/load", iter([b"one", b"two"]), 5.0, quiet="true").ok
    assert script.asked == ["POST /v4.0.0/libpod/images/load?quiet=true"]
    assert (script.body, script.headers["content-type"]) == (b"onetwo", "application/x-tar")


def test_an_answer_is_read_as_it_arrives(tmp_path: Path) -> None:
    script = Script(CHUNKED, b"3\r\none\r\n", b"3\r\ntwo\r\n", b"0\r\n\r\n", pause=0.05)
    with (
        unix(script, tmp_path) as address,
        service(address).streamed("POST", "/images/pull") as report,
    ):
        assert report.ok
        assert [report.read(5.0) for _ in range(3)] == [b"one", b"two", b""]


def test_a_piece_that_does_not_arrive_in_time_is_given_up(tmp_path: Path) -> None:
    script = Script(CHUNKED, b"3\r\none\r\n", b"3\r\ntwo\r\n", pause=0.5)
    started = time.monotonic()
    with (
        unix(script, tmp_path) as address,
        pytest.raises(ServiceError, match="timeout"),
        service(address).streamed("POST", "/images/pull") as report,
    ):
        report.read(0.05)
    assert time.monotonic() - started < 4


def test_a_service_that_does_not_listen_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        service(f"unix://{tmp_path}/nobody.sock").get("/_ping")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (b"", "no HTTP answer"),
        (b"SSH-2.0-OpenSSH_10.0\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", "no HTTP answer"),
        (CHUNKED + b"zz\r\n", "no HTTP answer"),
        (b"HTTP/1.1 200 " + b"x" * 100_000, "no HTTP answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwhat", "not JSON"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nNaN", "not JSON"),
        (b'HTTP/1.1 500 No\r\nContent-Length: 19\r\n\r\n{"message": "full"}', "full"),
        (b"HTTP/1.1 502 No\r\nContent-Length: 0\r\n\r\n", "HTTP status 502"),
    ],
)
def test_an_answer_that_is_none_is_an_error(tmp_path: Path, said: bytes, reason: str) -> None:
    with unix(Script(said), tmp_path) as address, pytest.raises(ServiceError, match=reason):
        service(address).get("/version").json()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (
            '{"cause":"no such host","message":"ping registry: no such host","response":500}',
            "ping registry: no such host",
        ),
        ('{"message":"manifest unknown"}', "manifest unknown"),
        ('{"cause":"i/o timeout"}', "i/o timeout"),
        ("<html>502 Bad Gateway</html>", "<html>502 Bad Gateway</html>"),
        ('{"message": 7}', '{"message": 7}'),
        ("[1]", "[1]"),
    ],
)
def test_a_refusal_is_shown_in_the_words_of_the_service_without_their_wrapping(body: str, words: str) -> None:
    assert Answer(500, body.encode()).words == words


def test_a_refusal_that_was_expected_is_an_answer() -> None:
    answer = Answer(409, b"in use")
    assert answer.checked(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT) is answer
    with pytest.raises(ServiceError, match="in use"):
        answer.checked(HTTPStatus.NOT_FOUND)


@given(st.binary())
def test_any_body_is_text_for_people_and_json_or_an_error(body: bytes) -> None:
    answer = Answer(200, body)
    assert isinstance(answer.words, str)
    with contextlib.suppress(ServiceError):
        assert answer.json() == json.loads(body)
