"""A testbed with an installed gateway, a device and a server behind it that sends and receives."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mstunnel_setup.base import paths
from tests.testbed.installation import PUBLIC_ADDRESS, Installation
from tests.testbed.kinds import PODMAN, Kind
from tests.testbed.machine import Machine
from tests.testbed.testbed import NETWORKS, Testbed

URL: Final = f"https://{PUBLIC_ADDRESS}"
INTRANET: Final = f"{NETWORKS['internal']}.80"
TOKEN: Final = "/root/token"
AUTHORITY: Final = "/root/authority.pem"


def put(machine: Machine, *names: str) -> None:
    """Put programs of this directory into /root."""
    for name in names:
        machine.write(f"/root/{name}", Path(__file__).with_name(name).read_text())


class Gateway(Testbed):
    """Boots and installs; the device has a token and `programs` of this directory besides `traffic.py`."""

    def __init__(self, kind: Kind = PODMAN, programs: Sequence[str] = ()) -> None:
        super().__init__(kind=kind)
        self._programs = programs

    def boot(self) -> None:
        """Boot and install."""
        super().boot()
        self.host = Installation(self, self.start_registry().references)
        self.host.prepare()
        self.host.setup()
        put(self.client, "traffic.py", *self._programs)
        put(self.intranet, "traffic.py")
        self.client.write(TOKEN, self.host.token())
        self.client.write(AUTHORITY, self.host.authority.pem)
        self.intranet.start(["python3", "/root/traffic.py", "serve"])

    def traffic(self, direction: str, seconds: int, devices: Sequence[str] = ()) -> dict[str, float]:
        """What streams of these interfaces carry together, or one by the client's route (`traffic.py`)."""
        command = ["python3", "/root/traffic.py", direction, INTRANET, str(seconds), *devices]
        found: dict[str, float] = json.loads(self.client.run(command, timeout=90).stdout)
        return found

    def keep_connected(self, count: int, name: str, script: str, url: str) -> None:
        """Start so many devices, which are connected from soon on (`devices.py`, one of the programs)."""
        token = ("--http-auth=Bearer", "--token-mode=oidc", f"--token-secret=@{TOKEN}")
        words = (f"{count}", name, script, url, *token, f"--cafile={AUTHORITY}")
        self.client.start(["python3", "/root/devices.py", "keep", *words])

    def sessions(self, container: str = paths.SERVER) -> int:
        """How many sessions a server has; none while it does not answer."""
        command = ["podman", "exec", container, "occtl", "--json", "show", "status"]
        found = self.server.run(command, check=False)
        return int(json.loads(found.stdout)["Active sessions"]) if found.code == 0 else 0
