"""Runs on a client: sessions of devices, one after the other, as short as the protocol (AnyConnect) allows.

`sessions.py WORKERS ADDRESS PORT CERTIFICATE TOKEN SECONDS` prints as JSON how long each took, in seconds:
connection, TLS, sign-in with a token, tunnel. So many processes begin them at the same time.
"""

import json
import re
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_COOKIE = re.compile(rb"^Set-Cookie: (webvpn=[^;]+)", re.MULTILINE)
_LENGTH = re.compile(rb"^Content-Length: (\d+)", re.MULTILINE | re.IGNORECASE)
_AGENT = "User-Agent: Open AnyConnect VPN Agent v9.12\r\n"
_INIT = '<config-auth client="vpn" type="init"><version who="vpn">v9.12</version></config-auth>'
# Ends the session; the device does not come back.
_GOODBYE = b"STF\x01\x00\x01\x05\x00\xb0"


@dataclass(frozen=True)
class Gateway:
    """Where sessions begin, and with which token."""

    address: str
    port: int
    certificate: str
    token: str

    def session(self, context: ssl.SSLContext) -> float:
        """Begin a session and end it. Seconds until the tunnel was there; raises OSError."""
        started = time.monotonic()
        with (
            socket.create_connection((self.address, self.port), timeout=30) as connection,
            context.wrap_socket(connection, server_hostname=self.address) as link,
        ):
            cookie = _COOKIE.search(self._answer(link, self._sign_in()))
            if cookie is None:
                raise OSError("no cookie")
            self._answer(link, self._tunnel(cookie[1].decode()))
            seconds = time.monotonic() - started
            link.sendall(_GOODBYE)
        return seconds

    def _sign_in(self) -> str:
        head = f"POST / HTTP/1.1\r\nHost: {self.address}\r\n{_AGENT}Authorization: Bearer {self.token}\r\n"
        return f"{head}X-Aggregate-Auth: 1\r\nContent-Length: {len(_INIT)}\r\n\r\n{_INIT}"

    def _tunnel(self, cookie: str) -> str:
        head = f"CONNECT /CSCOSSLC/tunnel HTTP/1.1\r\nHost: {self.address}\r\n{_AGENT}Cookie: {cookie}\r\n"
        return f"{head}X-CSTP-Version: 1\r\nX-CSTP-Hostname: device\r\nX-CSTP-Address-Type: IPv4\r\n\r\n"

    def _answer(self, link: ssl.SSLSocket, request: str) -> bytes:
        """The head of the answer, once all of it is there. Raises OSError unless it is 200."""
        link.sendall(request.encode())
        found = b""
        while not complete(found):
            more = link.recv(1 << 14)
            if not more:
                raise OSError(f"connection closed after {found!r}")
            found += more
        if b" 200 " not in found.partition(b"\r\n")[0]:
            raise OSError(found.decode(errors="replace"))
        return found


def complete(answer: bytes) -> bool:
    """Whether head and body of an answer are there."""
    head, end, body = answer.partition(b"\r\n\r\n")
    length = _LENGTH.search(head)
    return bool(end) and len(body) >= (int(length[1]) if length else 0)


def _repeated(gateway: Gateway, seconds: float) -> list[float]:
    """How long each session took that ended within `seconds`."""
    context = ssl.create_default_context(cafile=gateway.certificate)
    # Certificates of a test's authority lack what a public one has to have.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    found, end = [], time.monotonic() + seconds
    while time.monotonic() < end:
        found.append(gateway.session(context))
    return found


def work(arguments: Sequence[str]) -> None:
    """Begin sessions in this process."""
    address, port, certificate, token, seconds = arguments
    gateway = Gateway(address, int(port), certificate, Path(token).read_text().strip())
    sys.stdout.write(json.dumps(_repeated(gateway, float(seconds))))


def main(workers: int, arguments: Sequence[str]) -> None:
    """Begin sessions in so many other processes."""
    command = [sys.executable, __file__, "1", *arguments]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(workers)]
    outputs = [process.communicate()[0] for process in running]
    if any(process.returncode for process in running):
        sys.exit("not all sessions began")
    sys.stdout.write(json.dumps([duration for output in outputs for duration in json.loads(output)]))


if __name__ == "__main__":
    if sys.argv[1] == "1":
        work(sys.argv[2:])
    else:
        main(int(sys.argv[1]), sys.argv[2:])
