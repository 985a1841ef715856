"""Runs on both ends of a tunnel: when nothing comes back through it.

`gaps.py serve` returns every datagram on port 5202. `gaps.py watch ADDRESS INTERFACE FILE` sends one by the
interface every 20 ms until it is ended, and appends to FILE when the time before the first answer begins and
ends, and each later time of more than 0.2 s without an answer, in seconds since the epoch.
"""

import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

_PORT = 5202
_PAUSE = 0.02
_PATIENCE = 0.1
_GAP = 0.2


def serve() -> None:
    """Return what comes."""
    with socket.socket(type=socket.SOCK_DGRAM) as listener:
        listener.bind(("", _PORT))
        while True:
            listener.sendto(*listener.recvfrom(64))


def _answered(address: str, interface: str) -> bool:
    """Whether a datagram comes back. It has its own socket, because a new session has a new interface."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe, suppress(OSError):
        probe.settimeout(_PATIENCE)
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
        probe.sendto(b"probe", (address, _PORT))
        return bool(probe.recv(64))
    return False


def watch(address: str, interface: str, path: Path) -> None:
    """Send until this program is ended."""
    last, answered = time.time(), False
    while True:
        begun = time.time()
        if _answered(address, interface):
            now = time.time()
            if not answered or now - last > _GAP:
                with path.open("a") as file:
                    file.write(f"{last} {now}\n")
            last, answered = now, True
        time.sleep(max(0.0, begun + _PAUSE - time.time()))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve()
    else:
        watch(sys.argv[2], sys.argv[3], Path(sys.argv[4]))
