"""What has to be up before a container of ours starts, so that no boot needs a second attempt."""

from collections.abc import Iterator

# Makes /dev/net/tun usable; a systemd without this unit (before 245) passes over the name.
_TUNNEL = "modprobe@tun.service"
_WANTED = f"network-online.target {_TUNNEL}"
_BEFORE = f"{_WANTED} systemd-modules-load.service"


def start_order(*engine: str) -> Iterator[str]:
    """The lines of a unit: network, kernel modules, tunnel device, and the unit of the `engine`, if any."""
    yield f"Wants={' '.join((_WANTED, *engine))}"
    yield f"After={' '.join((_BEFORE, *engine))}"
