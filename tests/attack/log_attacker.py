"""Send requests to a gateway that no client sends: run as a program in the network of the gateway.

Standard input is JSON: `port`, `certificate` (of the device, a path or null), and `requests`, a list of lists
of texts in which each character is one byte. The requests of one list share a connection. Prints the answers.
"""

import json
import socket
import ssl
import sys
from typing import Any

_SECONDS = 10.0


def send(port: int, certificate: str | None, requests: list[str]) -> str:
    """Return what the gateway answers, up to the end of the connection or of its answer."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if certificate is not None:
        context.load_cert_chain(certificate)
    answer = b""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), _SECONDS) as connection,
            context.wrap_socket(connection) as secured,
        ):
            for request in requests:
                # What a first answer set comes back, as a browser returns it.
                cookies = [
                    line.partition(": ")[2].partition(";")[0]
                    for line in answer.decode("latin-1").split("\r\n")
                    if line.startswith("Set-Cookie: ")
                ]
                secured.sendall(request.replace("COOKIES", "; ".join(cookies)).encode("latin-1"))
                answer += _answer(secured)
    except OSError as error:
        return f"{answer.decode('latin-1')}{type(error).__name__}"
    return answer.decode("latin-1")


def _answer(secured: ssl.SSLSocket) -> bytes:
    """One answer: its head, and its body where the head has a length."""
    received = b""
    while b"\r\n\r\n" not in received:
        if not (piece := secured.recv(65536)):
            return received
        received += piece
    head, _, body = received.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
            while len(body) < length and (piece := secured.recv(65536)):
                body, received = body + piece, received + piece
    return received


def main() -> None:
    """Send what standard input says."""
    given: dict[str, Any] = json.load(sys.stdin)
    answers = [send(given["port"], given["certificate"], requests) for requests in given["requests"]]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main()
