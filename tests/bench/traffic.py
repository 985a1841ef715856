"""Runs on both ends of a tunnel: how much one TCP stream carries.

`traffic.py serve` answers on port 5201; `traffic.py up|down ADDRESS SECONDS` prints Mbit/s, without the first
second, as the receiver counts them.
"""

import select
import socket
import sys
import threading
import time

_PORT = 5201
_BLOCK = bytes(1 << 18)
_SLOW_START = 1.0


def serve() -> None:
    """Send after `d`; after `u` and the seconds receive, and answer with the rate."""
    with socket.create_server(("", _PORT)) as listener:
        while True:
            connection, _ = listener.accept()
            threading.Thread(target=_answer, args=(connection,), daemon=True).start()


def _answer(connection: socket.socket) -> None:
    with connection:
        try:
            if connection.recv(1) == b"d":
                while True:
                    connection.sendall(_BLOCK)
            connection.sendall(f"{_received(connection, ord(connection.recv(1)))}\n".encode())
            # An end that closes with bytes unread takes its answer back.
            while connection.recv(len(_BLOCK)):
                pass
        except OSError:
            return


def _received(connection: socket.socket, seconds: int) -> float:
    """Mbit/s that arrive within `seconds`."""
    started, counted = time.monotonic(), 0
    buffer = bytearray(len(_BLOCK))
    while (elapsed := time.monotonic() - started) < seconds:
        got = connection.recv_into(buffer)
        counted += got if elapsed > _SLOW_START else 0
    return counted * 8 / 1e6 / (time.monotonic() - started - _SLOW_START)


def measure(direction: str, address: str, seconds: int) -> float:
    """Mbit/s of one stream in this direction."""
    with socket.create_connection((address, _PORT), timeout=30) as connection:
        if direction == "down":
            connection.sendall(b"d")
            return _received(connection, seconds)
        connection.sendall(b"u" + bytes([seconds]))
        connection.settimeout(0)
        while not select.select([connection], [connection], [])[0]:
            connection.send(_BLOCK)
        return float(connection.recv(100))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        sys.stdout.write(f"{measure(sys.argv[1], sys.argv[2], int(sys.argv[3]))}\n")
