"""Units that must be up before our containers start, so that they start at the first attempt after a boot."""

from collections.abc import Iterator

# Makes /dev/net/tun usable; a systemd without this unit (before 245) ignores the name.
_TUNNEL = "modprobe@tun.service"
_WANTED = f"network-online.target {_TUNNEL}"
_BEFORE = f"{_WANTED} systemd-modules-load.service"


def start_order(*engine: str) -> Iterator[str]:
    """The lines of a unit: network, kernel modules, tunnel device, and the unit of the `engine`, if any."""
    yield f"Wants={' '.join((_WANTED, *engine))}"
    yield f"After={' '.join((_BEFORE, *engine))}"
