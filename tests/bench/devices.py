"""Runs on a client: many devices at once, each with the real VPN client, which connect again when cut off.

`devices.py COUNT NAME SCRIPT URL OPTION…` runs until it is ended. Device N has the interface NAME`N`, which
SCRIPT sets up: `route` gives it its address and a route to NETWORK, `none` only a session.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NETWORK = "10.99.0.0/24"
_PAUSE = 1.0
_SCRIPT = f"""#!/bin/sh
[ "$reason" = connect ] || exit 0
ip address add "$INTERNAL_IP4_ADDRESS/32" dev "$TUNDEV"
ip link set "$TUNDEV" mtu "$INTERNAL_IP4_MTU" up
# Two routes to one network differ in their metric.
ip route add {NETWORK} dev "$TUNDEV" metric "$(cat "/sys/class/net/$TUNDEV/ifindex")"
"""


@dataclass
class Device:
    """One device: its command, and the client that was started last, and when."""

    command: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0

    def look(self) -> None:
        """Start the client when it does not run, at most once in a while."""
        now = time.monotonic()
        ended = self.process is None or self.process.poll() is not None
        if ended and now - self.started > _PAUSE:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            self.started = now


def main(count: int, name: str, script: str, words: Sequence[str]) -> None:
    """Keep so many devices connected until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    path = Path("/root/device-script")
    path.write_text(_SCRIPT)
    path.chmod(0o755)
    fixed = ["openconnect", "--protocol=anyconnect", "--non-inter", "--reconnect-timeout=1", *words]
    program = str(path) if script == "route" else "/bin/true"
    devices = [
        Device([*fixed, f"--script={program}", f"--interface={name}{number}"]) for number in range(count)
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


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4:])
