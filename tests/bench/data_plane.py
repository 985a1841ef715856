"""What one device gets through a gateway: with root, and without root by each network, round by round.

All gateways are up at once and take turns, so that a machine that is busy for a while is busy for all.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

from mstunnel_setup.install.steps import launch
from tests.bench.bar import Bar, bars
from tests.bench.rounds import medians, ratios
from tests.testbed import vpn
from tests.testbed.installation import Installation
from tests.testbed.kinds import PODMAN, PODMAN_ROOTLESS, Kind
from tests.testbed.process import TestbedError
from tests.testbed.testbed import NETWORKS, Testbed

NAME = "data-plane"
_ROUNDS: Final = 3
_SECONDS: Final = 4
LIMIT: Final = 0.9
"""Share of the throughput with root that a gateway without root has to reach, in each direction and mode."""
_INTRANET: Final = f"{NETWORKS['internal']}.80"
_QUADLET: Final = "/home/mstunnel/.config/containers/systemd/mstunnel-server.container"
_OTHERS: Final = {"slirp4netns": launch._SLIRP4NETNS, "pasta": "pasta"}
Rates = dict[str, list[float]]


def measure() -> dict[str, Any]:
    """The figures, as JSON data: Mbit/s and ratios to the gateway with root."""
    rates: dict[str, Rates] = {name: {} for name in ("rootful", "uplink", *_OTHERS)}
    with ExitStack() as stack:
        rootful, rootless = (stack.enter_context(_Gateway(kind)) for kind in (PODMAN, PODMAN_ROOTLESS))
        for _ in range(_ROUNDS):
            for name, found in rates.items():
                gateway = rootful if name == "rootful" else rootless
                if gateway is rootless:
                    gateway.use(_OTHERS.get(name, ""))
                for mode, rate in gateway.rates():
                    found.setdefault(mode, []).append(rate)
    megabits = {name: medians(found) for name, found in rates.items()}
    of_rootful = {name: ratios(found, megabits["rootful"]) for name, found in megabits.items()}
    return {
        "what": "one device, one TCP stream, Mbit/s",
        "rounds": _ROUNDS,
        "megabits": megabits,
        "of_each_round": rates,
        "of_rootful": of_rootful,
        **bars(
            *(
                Bar(f"Without root, {mode}, of with root", ratio, LIMIT, "", at_least=True)
                for mode, ratio in of_rootful["uplink"].items()
            )
        ),
    }


class _Gateway(Testbed):
    """A testbed with a gateway, and a server behind it that sends and receives."""

    def __init__(self, kind: Kind) -> None:
        super().__init__(kind=kind)
        self.own = ""

    def boot(self) -> None:
        """Boot and install."""
        super().boot()
        self.host = Installation(self, self.start_registry().references)
        self.host.prepare()
        self.host.setup()
        script = Path(__file__).with_name("traffic.py").read_text()
        for machine in (self.client, self.intranet):
            machine.write("/root/traffic.py", script)
        self.intranet.start(["python3", "/root/traffic.py", "serve"])
        if self.kind is PODMAN_ROOTLESS:
            self.own = self.server.read(_QUADLET)

    def use(self, network: str) -> None:
        """Start the gateway with this network of Podman; with the one that was installed if it is empty."""
        text = self.own
        if network:
            of_uplink = ("--hooks-dir=", ":/etc/resolv.conf")
            kept = [line for line in text.splitlines() if not any(word in line for word in of_uplink)]
            ports = "\n".join(f"PublishPort=443:443/{protocol}" for protocol in ("tcp", "udp"))
            text = "\n".join(kept).replace("Network=none", f"Network={network}\n{ports}") + "\n"
        self.server.run(self.kind.as_account("systemctl", "--user", "stop", "mstunnel-server"), timeout=60)
        # As on a host where no gateway has ever had an uplink.
        self.server.run(["nft", "delete", "table", "inet", "mstunnel-uplink"], check=False)
        self.server.run(self.kind.as_account("tee", _QUADLET), stdin=text)
        for words in (("daemon-reload",), ("start", "mstunnel-server")):
            self.server.run(self.kind.as_account("systemctl", "--user", *words), timeout=90)

    def rates(self) -> Iterator[tuple[str, float]]:
        """What a device gets: by DTLS and TLS, up and down."""
        for mode, options in (("DTLS", ""), ("TLS", "--no-dtls")):
            connected = vpn.connect(
                self.client,
                f"https://vpn.tunnel.test {options}",
                token=self.host.token(),
                authority=self.host.authority.pem.decode(),
            )
            if connected.code:
                raise TestbedError(connected.describe())
            for direction in ("up", "down"):
                command = ["python3", "/root/traffic.py", direction, _INTRANET, str(_SECONDS)]
                yield f"{direction} {mode}", float(self.client.run(command, timeout=90).stdout)
            vpn.disconnect(self.client)
