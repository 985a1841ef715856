"""The verbose mode tells of each request: method, address, status, time and id, and of no secret."""

import re
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.io.clock import SystemClock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.io.http_port import log_requests
from tests.serving import serving

SECRET = "hunter2hunter2"


class Answering(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("request-id", "11111111-2222-3333-4444-555555555555")
        self.send_header("Content-Length", "0")
        self.end_headers()


@pytest.fixture
def url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    with serving(server):
        yield f"http://127.0.0.1:{server.server_port}"


def test_a_request_is_told_without_its_secrets(url: str) -> None:
    told: list[str] = []
    session = HttpSession(SystemClock(), timeout=10, deadline=10)
    with log_requests(told.append):
        session.post(
            f"{url}/beta/servers?code={SECRET}",
            data={"client_secret": SECRET},
            headers={"Authorization": f"Bearer {SECRET}"},
        )
    (line,) = told
    assert re.fullmatch(
        r"POST 127\.0\.0\.1/beta/servers: \d+ ms, 201, request 11111111-2222-3333-4444-555555555555", line
    )
    assert SECRET not in line


def test_a_request_without_an_answer_is_told_too() -> None:
    told: list[str] = []
    with log_requests(told.append), pytest.raises(NetworkError):
        HttpSession(SystemClock(), timeout=1, deadline=0).get("http://127.0.0.1:1/beta")
    assert re.fullmatch(r"GET 127\.0\.0\.1/beta: \d+ ms, no answer, ConnectionError", told[0])


def test_afterwards_nobody_is_told(url: str) -> None:
    told: list[str] = []
    with log_requests(told.append):
        pass
    HttpSession(SystemClock()).post(f"{url}/beta", data="")
    assert told == []
