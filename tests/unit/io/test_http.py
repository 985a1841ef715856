"""The HTTP session trusts only the given roots and limits its retries, whatever the environment says."""

import gzip
import re
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest
import requests
import trustme

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.io import http
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession, proxy_for
from mstunnel_setup.io.http_port import log_requests
from mstunnel_setup.io.network import Destination
from tests.refusals import refused
from tests.serving import Answer, Request, answering
from tests.unit.clocks import FakeClock
from tests.unit.readiness.servers import serving


@dataclass
class Server:
    """A TLS server that sends the prepared answers in turn; `body` in pieces, with pauses."""

    url: str
    ca_file: str
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    body: list[bytes] = field(default_factory=list)
    pause: float = 0.0
    connections: set[object] = field(default_factory=set)

    def pieces(self) -> Iterator[bytes]:
        for piece in self.body:
            yield piece
            time.sleep(self.pause)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    found = Server("", str(tmp_path / "ca.pem"))

    def answer(request: Request) -> Answer:
        found.connections.add(request.peer)
        status, headers = found.answers.pop(0)
        return Answer(status, found.pieces(), {"Content-Length": "0", **headers})

    with answering(answer, tls=context) as port:
        found.url = f"https://localhost:{port}/"
        yield found


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_environment_cannot_replace_trusted_roots(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(other)
    monkeypatch.setenv(name, str(other))
    server.answers.append((200, {}))
    assert HttpSession(FakeClock(), server.ca_file).get(server.url).status_code == 200


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_environment_cannot_add_trusted_roots(
    server: Server, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, server.ca_file)
    with refused(NetworkError, "tls-untrusted") as caught:
        HttpSession(FakeClock()).get(server.url)
    assert f"of localhost:{server.url[18:-1]}, issued by trustme" in caught.value.message
    assert "inspects TLS" in caught.value.hint
    assert "--ca-file" in caught.value.hint


def test_slow_clock_is_told_apart_from_an_untrusted_server(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object, **__: object) -> NoReturn:
        raise requests.exceptions.SSLError(ssl.SSLCertVerificationError("certificate is not yet valid"))

    monkeypatch.setattr(requests.Session, "request", failing)
    with refused(NetworkError, "clock-behind") as caught:
        HttpSession(FakeClock(), server.ca_file).get(server.url)
    assert "timedatectl" in caught.value.hint


def test_waits_as_long_as_the_server_requests(server: Server) -> None:
    clock = FakeClock()
    server.answers += [(429, {"Retry-After": "7"}), (503, {"Retry-After": "3"}), (200, {})]
    assert HttpSession(clock, server.ca_file).get(server.url).status_code == 200
    assert clock.naps == [7.0, 3.0]


def test_all_requests_of_a_session_wait_while_a_server_throttles(server: Server) -> None:
    clock = FakeClock()
    session = HttpSession(clock, server.ca_file)
    server.answers += [(429, {"Retry-After": "7"}), (200, {}), (200, {})]

    def after_two_seconds() -> None:
        clock.elapsed = 2.0
        session.get(server.url)

    # A request of another thread during the pause waits for its end.
    clock.during.append(after_two_seconds)
    assert session.get(server.url).status_code == 200
    assert clock.naps == [7.0, 5.0]


def test_last_response_is_returned_at_the_deadline(server: Server) -> None:
    clock = FakeClock()
    server.answers += [(503, {"Retry-After": "500"})]
    assert HttpSession(clock, server.ca_file, deadline=60).get(server.url).status_code == 503
    assert clock.naps == []


def test_a_post_that_may_have_worked_is_not_repeated(server: Server) -> None:
    clock = FakeClock()
    server.answers += [(503, {})]
    assert HttpSession(clock, server.ca_file).post(server.url).status_code == 503
    assert clock.naps == []


@pytest.mark.parametrize(
    ("status", "headers", "piece"),
    [
        (200, {"Content-Length": "200"}, b"x"),
        (200, {"Transfer-Encoding": "chunked"}, b"1\r\nx\r\n"),
        (302, {"Content-Length": "200", "Location": "/"}, b"x"),
    ],
    ids=["counted", "chunked", "redirection"],
)
def test_slow_body_is_abandoned_at_the_deadline(
    server: Server, status: int, headers: dict[str, str], piece: bytes
) -> None:
    server.answers.append((status, headers))
    server.body, server.pause = [piece] * 200, 0.05
    started = time.monotonic()
    with refused(NetworkError, "network-timeout"):
        HttpSession(Clock(), server.ca_file, timeout=0.4, deadline=0.8).get(server.url)
    assert 0.8 <= time.monotonic() - started < 5


def test_stalled_body_is_a_timeout(server: Server) -> None:
    server.answers.append((200, {"Content-Length": "2"}))
    server.body, server.pause = [b"x"], 1.0
    with refused(NetworkError, "network-timeout"):
        HttpSession(Clock(), server.ca_file, timeout=0.3, deadline=0).get(server.url)


def test_endless_body_is_refused(server: Server) -> None:
    server.answers.append((200, {"Transfer-Encoding": "chunked"}))
    server.body = [b"10000\r\n" + b"x" * 0x10000 + b"\r\n"] * 1000
    with refused(NetworkError, "answer-too-large") as caught:
        HttpSession(FakeClock(), server.ca_file, largest=1 << 20).get(server.url)
    assert caught.value.message == f"{server.url[8:-1]} sent more than 1 MiB"


def test_connection_is_reused_after_a_complete_body(server: Server) -> None:
    compressed = gzip.compress(b"abc" * 50_000)
    server.answers += [(200, {"Content-Length": str(len(compressed)), "Content-Encoding": "gzip"})] * 2
    server.body = [compressed[:100], compressed[100:]]
    http = HttpSession(FakeClock(), server.ca_file)
    assert [http.get(server.url).content for _ in range(2)] == [b"abc" * 50_000] * 2
    http.close()
    assert len(server.connections) == 1


def test_unreachable_server_is_reported_soon() -> None:
    clock = FakeClock()
    with refused(NetworkError, "network-unreachable", match="localhost:1") as caught:
        HttpSession(clock, deadline=600).get("https://localhost:1/")
    assert 0 < clock.elapsed <= 15
    assert "HTTPSConnection" not in caught.value.message


def test_unreadable_roots_are_reported(tmp_path: Path) -> None:
    with refused(NetworkError, "ca-file-unreadable"):
        HttpSession(FakeClock(), str(tmp_path / "none.pem"))
    with refused(NetworkError, "ca-file-unreadable", match="/etc/mstunnel/ca-trust"):
        HttpSession(FakeClock(), roots="-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n")


@pytest.mark.parametrize("url", ["https://[fd00::1/", "https://localhost:99999/", "https://a]b/"])
def test_malformed_address_is_refused(url: str) -> None:
    with refused(NetworkError, "address-unreadable"):
        HttpSession(FakeClock()).get(url)


@pytest.mark.parametrize("proxy", ["http://[fd00::1", "[", "http://]", "http://a:99999"])
def test_malformed_proxy_is_refused(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(NetworkError):
        HttpSession(FakeClock()).get("https://localhost/")
    assert proxy_for("https://localhost/") in {None, proxy}


@pytest.mark.parametrize(
    ("proxy", "place"),
    [
        ("http://user:word@proxy.example", ("proxy.example", 80)),
        ("https://proxy.example", ("proxy.example", 443)),
        ("http://proxy.example:3128", ("proxy.example", 3128)),
    ],
)
def test_proxy_without_a_port_has_the_default_of_requests(
    monkeypatch: pytest.MonkeyPatch, proxy: str, place: tuple[str, int]
) -> None:
    """Check both users of the default port: the issuer of an untrusted certificate, and a lab's root."""
    tried: list[object] = []

    class Connection:
        def __init__(self, *address: object, **_options: object) -> None:
            tried.append(address)

        def set_tunnel(self, host: str, port: int) -> None:
            tried.append((host, port))

        def request(self, *_: object) -> NoReturn:
            raise ConnectionRefusedError

        def close(self) -> None:
            pass

    def untrusted(*_: object, **__: object) -> NoReturn:
        raise requests.exceptions.SSLError

    def issuer(destination: Destination, *_: object) -> str:
        tried.append(destination.proxy)
        return ""

    monkeypatch.setenv("https_proxy", proxy)
    monkeypatch.setattr(http, "HTTPSConnection", Connection)
    monkeypatch.setattr(http, "presented_issuer", issuer)
    monkeypatch.setattr(requests.Session, "request", untrusted)
    with refused(NetworkError, "root-unreachable"):
        http.fetch_root("https://lab.example/root.pem")
    with refused(NetworkError, "tls-untrusted"):
        HttpSession(FakeClock()).get("https://graph.example/")
    assert tried == [place, ("lab.example", 443), place]


@pytest.mark.parametrize("address", ["https://tenant.example/", "http://tenant.example/"])
@pytest.mark.parametrize(
    ("host", "reason"),
    [("proxy.invalid", "Failed to resolve 'proxy.invalid'"), ("127.0.0.1", "Connection refused")],
)
def test_unreachable_proxy_is_reported_with_the_cause(
    address: str, host: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, f"http://user:{SECRET}@{host}:9")
    with refused(NetworkError, "proxy-failed") as caught:
        HttpSession(FakeClock()).get(address)
    found = caught.value.message
    assert found.startswith(f"the proxy http://{host}:9 cannot be used: no connection to it, on the way to ")
    assert (reason in found, SECRET in found) == (True, False)


@pytest.mark.parametrize("status", ["407 Proxy Authentication Required", "503 no such host"])
def test_refusal_of_a_proxy_is_reported_with_its_status(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(lambda connection: connection.sendall(f"HTTP/1.1 {status}\r\n\r\n".encode())) as port:
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{port}")
        with refused(NetworkError, "proxy-failed") as caught:
            HttpSession(FakeClock()).get("https://tenant.example/")
    refusal = f"it refused to connect to tenant.example: status {status}"
    assert caught.value.message == f"the proxy http://127.0.0.1:{port} cannot be used: {refusal}"


@pytest.mark.parametrize("status", [307, 308])
def test_only_requests_without_a_body_follow_redirects(server: Server, status: int) -> None:
    server.answers = [(status, {"Location": server.url}), (200, {}), (status, {"Location": server.url})]
    session = HttpSession(Clock(), server.ca_file)
    assert [session.get(server.url).status_code, session.post(server.url).status_code] == [200, status]


SECRET = "hunter2hunter2"


def test_requests_are_logged_without_secrets_while_asked_for(server: Server) -> None:
    told: list[str] = []
    server.answers += [(201, {"request-id": "11111111-2222-3333-4444-555555555555"}), (201, {})]
    session = HttpSession(FakeClock(), server.ca_file)
    secrets = {"data": {"client_secret": SECRET}, "headers": {"Authorization": f"Bearer {SECRET}"}}
    with log_requests(told.append):
        session.post(f"{server.url}beta/servers?code={SECRET}", **secrets)  # type: ignore[arg-type]
    session.post(f"{server.url}beta", data="")
    (line,) = told
    assert re.fullmatch(
        r"POST localhost/beta/servers: \d+ ms, 201, request 11111111-2222-3333-4444-555555555555", line
    )
    assert SECRET not in line


def test_request_without_a_response_is_logged() -> None:
    told: list[str] = []
    with log_requests(told.append), pytest.raises(NetworkError):
        HttpSession(FakeClock(), timeout=1, deadline=0).get("http://127.0.0.1:1/beta")
    assert re.fullmatch(r"GET 127\.0\.0\.1/beta: \d+ ms, no answer, ConnectionError", told[0])
