"""What one device gets through a gateway: with root, without root by each network, and by ocserv on the host.

All are up at once and take turns, so that a machine that is busy for a while is busy for all.
"""

from collections.abc import Iterator
from typing import Any, Final

from mstunnel_setup.install.steps import launch
from tests.bench import plain_ocserv
from tests.bench.bar import Bar, bars
from tests.bench.gateway import URL, Gateway
from tests.bench.rounds import medians, ratios
from tests.testbed import vpn
from tests.testbed.kinds import PODMAN_ROOTLESS
from tests.testbed.process import TestbedError

NAME = "data-plane"
_ROUNDS: Final = 2
_SECONDS: Final = 4
LIMIT: Final = 0.9
"""Share of the throughput with root that a gateway without root has to reach, in each direction and mode."""
LEAST: Final = 230.0
"""Mbit/s that it has to reach in any case: what the vendor says its own carries at most without root."""
PLAIN_LIMIT: Final = 0.95
"""Share of the throughput of the same ocserv on the host that a gateway with root has to reach."""
_QUADLET: Final = "/home/mstunnel/.config/containers/systemd/mstunnel-server.container"
_OTHERS: Final = {"slirp4netns": launch._SLIRP4NETNS, "pasta": "pasta"}
Rates = dict[str, list[float]]


def measure() -> dict[str, Any]:
    """The figures, as JSON data: Mbit/s and ratios."""
    rates: dict[str, Rates] = {name: {} for name in ("plain", "rootful", "uplink", *_OTHERS)}
    with Gateway() as rootful, _Rootless() as rootless:
        plain_ocserv.start(rootful.host)
        for number in range(_ROUNDS):
            # One round for those without a limit.
            for name in rates if number == 0 else ("plain", "rootful", "uplink"):
                gateway = rootful if name in ("plain", "rootful") else rootless
                if gateway is rootless:
                    rootless.use(_OTHERS.get(name, ""))
                for mode, rate in _rates(gateway, plain_ocserv.URL if name == "plain" else URL):
                    rates[name].setdefault(mode, []).append(rate)
    megabits = {name: medians(found) for name, found in rates.items()}
    of_rootful = {name: ratios(found, megabits["rootful"]) for name, found in megabits.items()}
    of_plain = ratios(megabits["rootful"], megabits["plain"])
    return {
        "what": "one device, one TCP stream, Mbit/s",
        "rounds": _ROUNDS,
        "megabits": megabits,
        "of_each_round": rates,
        "of_rootful": of_rootful,
        "rootful_of_plain": of_plain,
        **bars(
            *(
                Bar(f"Without root, {mode}, of with root", ratio, LIMIT, "", at_least=True)
                for mode, ratio in of_rootful["uplink"].items()
            ),
            Bar(
                "Without root, the slowest", min(megabits["uplink"].values()), LEAST, "Mbit/s", at_least=True
            ),
            *(
                Bar(f"With root, {mode}, of ocserv on the host", ratio, PLAIN_LIMIT, "", at_least=True)
                for mode, ratio in of_plain.items()
            ),
        ),
    }


class _Rootless(Gateway):
    """A gateway without root, whose network can be replaced."""

    def __init__(self) -> None:
        super().__init__(PODMAN_ROOTLESS)
        self._own = ""

    def boot(self) -> None:
        """Boot, install and remember the network."""
        super().boot()
        self._own = self.server.read(_QUADLET)

    def use(self, network: str) -> None:
        """Start the gateway with this network of Podman; with the one that was installed if it is empty."""
        text = self._own
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


def _rates(gateway: Gateway, url: str) -> Iterator[tuple[str, float]]:
    """What a device gets: by DTLS and TLS, up and down."""
    for mode, options in (("DTLS", ""), ("TLS", "--no-dtls")):
        connected = vpn.connect(
            gateway.client,
            f"{url} {options}",
            token=gateway.host.token(),
            authority=gateway.host.authority.pem.decode(),
        )
        if connected.code:
            raise TestbedError(connected.describe())
        for direction in ("up", "down"):
            yield f"{direction} {mode}", gateway.traffic(direction, _SECONDS)["megabits"]
        vpn.disconnect(gateway.client)
