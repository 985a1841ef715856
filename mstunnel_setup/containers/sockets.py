"""Sockets of engines, asked before their libraries are: those leak a descriptor for each that is dead."""

import socket

_UNIX = "unix://"


def listens(address: str, timeout: float) -> bool:
    """Whether the socket at `address` accepts connections within `timeout` seconds; only unix:// is asked."""
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
