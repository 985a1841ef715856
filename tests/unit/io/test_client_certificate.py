"""A client certificate on a real handshake: OpenSSL's own server tells what it saw."""

import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from mstunnel_setup.io.endpoint import show_unknown_certificate


@pytest.fixture
def server(tmp_path: Path) -> Iterator[int]:
    """Asks for a certificate, takes any, and serves a page about the connection."""
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
def test_the_server_sees_it(server: int, version: ssl.TLSVersion) -> None:
    assert "mst-readiness" in page(server, shown=True, version=version)


def test_without_it_the_server_sees_none(server: int) -> None:
    assert "mst-readiness" not in page(server, shown=False, version=ssl.TLSVersion.TLSv1_3)
