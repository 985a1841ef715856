"""Runs on a client: many devices at once, each with the real VPN client, which connect again when cut off.

`devices.py keep COUNT NAME SCRIPT URL OPTION…` runs until it is ended. Device N has the interface NAME`N`,
which SCRIPT sets up: `route` gives it its address and a route to NETWORK, `none` only a session.
`devices.py times NAME` prints as JSON when each device last started its client, and when it was connected.
"""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NETWORK = "10.99.0.0/24"
_PAUSE = 1.0
# The files' times of modification are when a client was started, and when its session began.
_STARTED, _CONNECTED = Path("/root/started"), Path("/root/connected")
_SCRIPT = f"""#!/bin/sh
[ "$reason" = connect ] || exit 0
: >"{_CONNECTED}/$TUNDEV"
"""
_ROUTE = f"""
ip address add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
ip link set "$TUNDEV" mtu "$INTERNAL_IP4_MTU" up
# Two routes to one network differ in their metric.
ip route add {NETWORK} dev "$TUNDEV" metric "$(cat "/sys/class/net/$TUNDEV/ifindex")"
"""
_SCRIPTS = {"none": _SCRIPT, "route": f"{_SCRIPT}{_ROUTE}"}


@dataclass
class Device:
    """One device: its interface and command, and the client that was started last, and when."""

    interface: str
    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    def look(self) -> None:
        """Start the client when it does not run, at most once in a while."""
        now = time.monotonic()
        ended = self.process is None or self.process.poll() is not None
        if ended and now - self.started > _PAUSE:
            (_STARTED / self.interface).touch()
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self.started = now


def keep(count: int, name: str, script: str, words: Sequence[str]) -> None:
    """Keep so many devices connected until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    for directory in (_STARTED, _CONNECTED):
        directory.mkdir(exist_ok=True)
    path = Path(f"/root/device-{script}")
    path.write_text(_SCRIPTS[script])
    path.chmod(0o755)
    fixed = ["openconnect", "--protocol=anyconnect", "--non-inter", "--reconnect-timeout=1"]
    devices = [
        Device(interface, [*fixed, *words, f"--script={path}", f"--interface={interface}"])
        for interface in (f"{name}{number}" for number in range(count))
    ]
    try:
        while True:
            for device in devices:
                device.look()
            time.sleep(_PAUSE / 4)
    finally:
        running = [device.process for device in devices if device.process]
        for process in running:
            process.terminate()
        for process in running:
            process.wait()


def times(name: str) -> list[tuple[float, float]]:
    """Of each device when its client was started, and when it was connected; seconds since the epoch."""
    return [
        (path.stat().st_mtime, (_CONNECTED / path.name).stat().st_mtime)
        for path in _STARTED.glob(f"{name}*")
        if (_CONNECTED / path.name).exists()
    ]


if __name__ == "__main__":
    if sys.argv[1] == "keep":
        keep(int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5:])
    else:
        sys.stdout.write(json.dumps(times(sys.argv[2])))
