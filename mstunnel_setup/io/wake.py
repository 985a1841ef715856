"""Podman's service starts while a command is still loading."""

import os
import socket
from contextlib import suppress

from mstunnel_setup.base import paths


def wake_podman() -> None:
    """Have systemd start the service that listens on Podman's socket, as the first question to it would.

    Its start takes 50 ms. Nothing is asked, and whatever is wrong with the socket shows when something is.
    """
    if "CONTAINER_HOST" in os.environ:
        return
    with socket.socket(socket.AF_UNIX) as connection, suppress(OSError):
        connection.settimeout(0)
        connection.connect(paths.PODMAN_SOCKET)
