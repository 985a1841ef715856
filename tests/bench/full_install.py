"""A full installation with the images in the store, beside a plain shell script with the same calls, in turn.

`plain-install` makes the calls to the tenant and the engine that an installation makes, in the same order,
and has no safety: no checks, no journal, no rollback, no monitor. What does not depend on the registration
it takes ready-made from an installed gateway. Both sign in with a device code that is approved at once, and
both end when the containers are healthy and the tenant has a check-in of the agent.
"""

from pathlib import Path
from typing import Any, Final

from mstunnel_setup.base import paths
from tests.bench.bar import bar_of, bars
from tests.bench.rounds import ratios, spread
from tests.testbed.installation import CONTAINERS, Installation

NAME = "installation"
_ROUNDS: Final = 6
LIMIT: Final = 2.0
"""How long an installation may take, as a multiple of the plain script."""
_PLACE: Final = "/root/plain"
_SCRIPT: Final = "/root/plain/plain-install"
_SECONDS: Final = 120
_QUADLETS: Final = "/etc/containers/systemd"
_OURS: Final = f"/etc/mstunnel {' '.join(f'{_QUADLETS}/{name}.container' for name in CONTAINERS)}"
_STATES: Final = f"{paths.SERVER_DIRECTORY} {paths.AGENT_STATE}"
_KEEP: Final = f"""
set -e
mkdir -p {_PLACE}/files && cd /
cp -a --parents {_OURS} {_STATES} {_PLACE}/files/
find {_PLACE}/files/var/lib {_PLACE}/files/etc/mstunnel/messages -type f -delete
cp /root/lab-ca.pem {_PLACE}/tenant.pem
"""
_REMOVE: Final = (
    f"systemctl stop {' '.join(CONTAINERS)} && rm -r {_OURS} {_STATES} && systemctl daemon-reload"
)


def measure() -> dict[str, Any]:
    """The figures, as JSON data: seconds."""
    seconds: dict[str, list[float]] = {"mstunnel-setup": [], "plain-install": []}
    with Installation.booted() as host:
        for name in ("gateway", "agent"):
            host.server.run(["podman", "pull", "--quiet", host.references[name]], timeout=120)
        # Keep the files that are the same in every installation.
        host.setup()
        host.server.shell(_KEEP)
        host.uninstall()
        host.server.write(_SCRIPT, Path(__file__).with_name("plain-install").read_text(), 0o755)
        for number in range(_ROUNDS):
            seconds["mstunnel-setup"].append(host.setup().seconds)
            host.uninstall()
            seconds["plain-install"].append(_plain(host, f"plain {number}"))
    return {
        "what": "a full installation with the images in the store, seconds",
        "rounds": _ROUNDS,
        "seconds": {name: spread(found, 1) for name, found in seconds.items()},
        "of_each_round": {name: [round(value, 2) for value in found] for name, found in seconds.items()},
        **bars(
            bar_of(
                "Full installation, relative to a plain script with the same calls",
                ratios(seconds["mstunnel-setup"], seconds["plain-install"]),
                LIMIT,
            )
        ),
    }


def _plain(host: Installation, name: str) -> float:
    """Seconds of one run of the script; what it installed is removed."""
    lab = host.lab
    words = [_SCRIPT, f"{_PLACE}/files", lab["authority"], lab["graph"], lab["client_id"], name]
    images = [host.references[image] for image in ("gateway", "agent")]
    done = host.program("env", f"--chdir={_PLACE}", "timeout", f"{_SECONDS}", *words, *images)
    host.server.shell(_REMOVE, timeout=120)
    return done.seconds
