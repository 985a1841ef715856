"""Runs on both ends of a tunnel: how much TCP streams carry.

`traffic.py serve` answers on port 5201. `traffic.py up|down ADDRESS SECONDS [INTERFACE…]` prints as JSON the
Mbit/s of one stream by each interface together, or of one by the route, without the first second, as the
receivers count them, and how busy the machine was meanwhile, in percent of all its cores.
"""

import json
import select
import socket
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

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


def _stream(direction: str, address: str, seconds: int, interface: str) -> float:
    """Mbit/s of one stream in this direction."""
    with socket.socket() as connection:
        connection.settimeout(30)
        if interface:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        connection.connect((address, _PORT))
        if direction == "down":
            connection.sendall(b"d")
            return _received(connection, seconds)
        connection.sendall(b"u" + bytes([seconds]))
        connection.settimeout(0)
        while not select.select([connection], [connection], [])[0]:
            connection.send(_BLOCK)
        return float(connection.recv(100))


def measure(direction: str, address: str, seconds: int, interfaces: Sequence[str]) -> dict[str, float]:
    """What streams by these interfaces carry together, at the same time; "" for that of the route."""
    rates: list[float] = []
    threads = [
        threading.Thread(target=lambda name=name: rates.append(_stream(direction, address, seconds, name)))
        for name in interfaces
    ]
    before = processor(Path("/proc/stat").read_text())
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = processor(Path("/proc/stat").read_text())
    if len(rates) < len(interfaces):
        raise SystemExit(f"{len(rates)} of {len(interfaces)} streams ended well")
    busy, spent = after[0] - before[0], after[1] - before[1]
    return {"megabits": sum(rates), "busy_percent": 100 * busy / spent}


def processor(stat: str) -> tuple[int, int]:
    """Busy and all time of all cores, from `cpu` in /proc/stat (proc_stat(5))."""
    times = [int(word) for word in stat.split("\n", 1)[0].split()[1:9]]
    return sum(times) - times[3] - times[4], sum(times)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        found = measure(sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4:] or [""])
        sys.stdout.write(json.dumps(found))
