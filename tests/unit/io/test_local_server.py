"""The local web server: its addresses, its responses, and no access for other users."""

import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from mstunnel_setup.base.errors import ExitCode, SetupError
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.local_server import listening, local_address
from tests.cases import every
from tests.refusals import refused
from tests.serving import serving

CONTENT = (
    b"# HELP mstunnel_connections Connected clients.\n"
    b"# TYPE mstunnel_connections gauge\n"
    b"mstunnel_connections 4.0\n"
)


@dataclass(frozen=True)
class Metrics:
    """One metric, or what a collector raises instead."""

    trouble: Exception | None = None

    def collect(self) -> list[Metric]:
        if self.trouble is not None:
            raise self.trouble
        return [GaugeMetricFamily("mstunnel_connections", "Connected clients.", 4)]


METRICS = Metrics()


@dataclass
class Answer:
    status: int
    body: bytes
    headers: dict[str, str]


def ask(peer: socket.socket, path: str = "/metrics", method: str = "GET") -> Answer:
    connection = HTTPConnection("localhost")
    connection.sock = peer
    connection.request(method, path)
    response = connection.getresponse()
    found = Answer(response.status, response.read(), dict(response.headers))
    connection.close()
    return found


@contextmanager
def running(address: str, metrics: Metrics = METRICS) -> Iterator[tuple[str, int]]:
    """Run a server and yield host and port that it listens on."""
    with listening(local_address(address), metrics) as server, serving(server):
        yield server.socket.getsockname()[:2]


@pytest.mark.parametrize("address", ["127.0.0.1:0", "127.8.8.8:0", "[::1]:0"])
def test_page_is_served_on_loopback_addresses(address: str) -> None:
    with running(address) as at:
        answer = ask(socket.create_connection(at))
    assert (answer.status, answer.body) == (200, CONTENT)
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Server"] == "mstunnel", "no version of anything"


def test_the_page_is_served_on_a_unix_socket_of_owner_and_group(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with running(f"unix:{path}"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
        peer = socket.socket(socket.AF_UNIX)
        peer.connect(str(path))
        assert ask(peer).body == CONTENT
    assert not path.exists()


def test_only_get_of_the_one_page_is_answered() -> None:
    with running("127.0.0.1:0") as at:
        found = {path: ask(socket.create_connection(at), path).status for path in ("/", "/metrics/../etc")}
        posted = ask(socket.create_connection(at), method="POST").status
        asked = ask(socket.create_connection(at), "/metrics?x=1").status
    assert (found, posted, asked) == ({"/": 404, "/metrics/../etc": 404}, 501, 200)


@pytest.mark.parametrize(("name", "shown"), [("mstunnel_connections", True), ("other", False)])
def test_a_client_may_ask_for_some_metrics_only(name: str, *, shown: bool) -> None:
    with running("127.0.0.1:0") as at:
        answer = ask(socket.create_connection(at), f"/metrics?name[]={name}")
    assert (answer.status, b"mstunnel_connections 4.0" in answer.body) == (200, shown)


@pytest.mark.parametrize(
    "trouble", [LookupError("none"), ValueError("damaged"), FileError("file-irregular", "it is a link")]
)
def test_metrics_that_cannot_be_read_are_unavailable(trouble: Exception) -> None:
    with running("127.0.0.1:0", Metrics(trouble)) as at:
        answer = ask(socket.create_connection(at))
    assert answer.status == 503
    assert str(trouble).encode() not in answer.body


def test_silent_client_does_not_block_others() -> None:
    with running("127.0.0.1:0") as at, socket.create_connection(at):
        assert ask(socket.create_connection(at)).status == 200


OF_OTHERS = "0.0.0.0:9100 [::]:9100 192.0.2.1:9100 [2001:db8::1]:9100 [::ffff:192.0.2.1]:9100"
NAMES = "localhost:9100 user@127.0.0.1:80 127.1:80 127.0.0.1:http"
NO_PORT = "127.0.0.1 127.0.0.1: 127.0.0.1:65536 127.0.0.1:-1 127.0.0.1:80/metrics 127.0.0.1:80? :9100 9100"
PATHS = "unix:metrics.sock unix: /run/metrics.sock"


@every("address", ["", *f"{OF_OTHERS} {NAMES} {NO_PORT} {PATHS}".split()])
def test_addresses_beyond_the_loopback_are_refused(address: str) -> None:
    with pytest.raises(SetupError) as caught:
        local_address(address)
    assert (caught.value.code, caught.value.exit_code) == ("listen-address-refused", ExitCode.USAGE)


def test_an_address_in_use_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with running("127.0.0.1:0") as (host, port), running(f"unix:{path}"):
        for address in (f"{host}:{port}", f"unix:{path}"):
            with pytest.raises(SetupError) as caught, listening(local_address(address), METRICS):
                pass
            assert (caught.value.code, caught.value.exit_code) == ("listen-failed", ExitCode.NETWORK)
            assert "Address already in use" in caught.value.message
        assert path.exists(), "the socket of the other server stays"


def test_socket_of_a_killed_process_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with running(f"unix:{path}"), socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(path))
        assert ask(peer).body == CONTENT


def test_file_that_is_not_a_socket_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "notes"
    path.write_text("mine")
    with refused(SetupError, "listen-failed"), listening(local_address(f"unix:{path}"), METRICS):
        pass
    assert path.read_text() == "mine"


@pytest.mark.parametrize("path", ["nowhere/metrics.sock", "x" * 200])
def test_impossible_path_of_a_socket_is_an_error(tmp_path: Path, path: str) -> None:
    with refused(SetupError, "listen-failed"), listening(local_address(f"unix:{tmp_path}/{path}"), METRICS):
        pass
