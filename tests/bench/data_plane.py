"""What one device gets through a gateway, with and without root, beside `podman run` and ocserv on the host.

All are up at once and take turns, so that a machine that is busy for a while is busy for all.
"""

from collections.abc import Iterator
from typing import Any, Final

from mstunnel_setup.install.steps import launch
from scripts.error_codes import table as markdown
from tests.bench import plain_ocserv
from tests.bench.bar import bar_of, bars
from tests.bench.gateway import URL, Gateway
from tests.bench.rounds import ratios, spread
from tests.testbed import vpn
from tests.testbed.kinds import PODMAN_ROOTLESS
from tests.testbed.process import TestbedError

NAME = "data-plane"
_ROUNDS: Final = 6
_SECONDS: Final = 3
ROOTLESS_LIMIT: Final = 0.9
"""Share of the throughput with root that a gateway without root has to reach, in each direction and mode."""
LEAST: Final = 230.0
"""Mbit/s that it has to reach in any case: what the vendor says its own carries at most without root."""
LIMIT: Final = 0.95
"""Share of the throughput of `podman run` that a gateway with root has to reach."""
_QUADLET: Final = "/home/mstunnel/.config/containers/systemd/mstunnel-server.container"
_OTHERS: Final = {"slirp4netns": launch._SLIRP4NETNS, "pasta": "pasta"}
_MODES: Final = {"DTLS": "", "TLS": "--no-dtls"}
_NAMES: Final = {
    "host": plain_ocserv.TITLES["host"],
    "podman-run": plain_ocserv.TITLES["podman-run"],
    "rootful": "gateway with root",
    "uplink": "gateway without root, uplink",
    "slirp4netns": "gateway without root, slirp4netns",
    "pasta": "gateway without root, pasta",
}
Rates = dict[str, list[float]]


def measure() -> dict[str, Any]:
    """The figures, as JSON data: Mbit/s and ratios."""
    rates: dict[str, Rates] = {name: {} for name in _NAMES}
    with Gateway() as rootful, _Rootless() as rootless:
        plain_ocserv.start(rootful.host)
        for number in range(_ROUNDS):
            for name, found in rates.items():
                # One round for those without a limit.
                if name in _OTHERS and number:
                    continue
                gateway = rootless if name in ("uplink", *_OTHERS) else rootful
                if gateway is rootless:
                    rootless.use(_OTHERS.get(name, ""))
                for mode, rate in _rates(gateway, plain_ocserv.URLS.get(name, URL)):
                    found.setdefault(mode, []).append(rate)
    rootless_of_rootful = _ratios(rates["uplink"], rates["rootful"])
    return {
        "what": "one device, one TCP stream, Mbit/s",
        "rounds": _ROUNDS,
        "megabits": {
            name: {mode: spread(values, 1) for mode, values in found.items()} for name, found in rates.items()
        },
        "of_podman_run": {
            name: {mode: spread(values) for mode, values in _ratios(rates[name], rates["podman-run"]).items()}
            for name in _NAMES
            if name not in _OTHERS
        },
        "of_each_round": rates,
        **bars(
            *(
                bar_of(f"Without root, {mode}, of with root", ratio, ROOTLESS_LIMIT, at_least=True)
                for mode, ratio in rootless_of_rootful.items()
            ),
            bar_of(
                "Without root, the slowest",
                min(rates["uplink"].values(), key=sum),
                LEAST,
                "Mbit/s",
                at_least=True,
                digits=0,
            ),
            *(
                bar_of(f"With root, {mode}, of `podman run`", ratio, LIMIT, at_least=True)
                for mode, ratio in _ratios(rates["rootful"], rates["podman-run"]).items()
            ),
        ),
    }


def _ratios(found: Rates, base: Rates) -> dict[str, tuple[float, ...]]:
    return {mode: ratios(values, base[mode]) for mode, values in found.items()}


def section(figures: dict[str, Any]) -> str:
    """The table of docs/reference/benchmarks.md: a row for each server."""
    modes = [*figures["megabits"]["host"]]
    rows = [
        [_NAMES[name], *(_cell(found[mode]) for mode in modes)] for name, found in figures["megabits"].items()
    ]
    return markdown(["Server", *modes], rows)


def _cell(found: dict[str, float]) -> str:
    if found["least"] == found["most"]:
        return f"{found['median']:.0f}"
    return f"{found['median']:.0f} ({found['least']:.0f} to {found['most']:.0f})"


class _Rootless(Gateway):
    """A gateway without root, whose network can be replaced."""

    def __init__(self) -> None:
        super().__init__(PODMAN_ROOTLESS)
        self._own = ""
        self._used = ""

    def boot(self) -> None:
        """Boot, install and remember the network."""
        super().boot()
        self._own = self.server.read(_QUADLET)

    def use(self, network: str) -> None:
        """Start the gateway with this network of Podman; with the one that was installed if it is empty."""
        if network == self._used:
            return
        self._used = network
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
    for mode, options in _MODES.items():
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
