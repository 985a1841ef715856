"""Probe of engine sockets before their libraries are used: those leak a descriptor for each dead socket."""

import socket

_UNIX = "unix://"


def listens(address: str, timeout: float) -> bool:
    """Whether the socket at `address` accepts connections within `timeout` seconds; True for others than unix://."""
    path = address.removeprefix(_UNIX)
    if path == address:
        return True
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(timeout)
        try:
            probe.connect(path)
        except OSError:
            return False
        return True
