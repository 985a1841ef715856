"""The port in use: the one in `ocserv.conf`, which the gateway's container publishes.

`admin-settings.json` has the port that the tenant wants; the two differ until the host has re-created the
container, because a container publishes only the ports that it was created with.
"""

import re
from typing import Final

from mstunnel_setup import paths
from mstunnel_setup.gateway.errors import SETTINGS_UNREADABLE
from mstunnel_setup.host.files import Files

_PORT: Final = re.compile(rb"^((?:tcp|udp)-port) = (\d{1,5})$", re.MULTILINE)


def served_port(configuration: bytes) -> int | None:
    """The port in the text of an `ocserv.conf`; None when it names none."""
    found = _PORT.search(configuration)
    return int(found[2]) if found else None


def with_port(configuration: bytes, port: int) -> bytes:
    """The text of an `ocserv.conf` with another port, the same for TCP and UDP."""
    return _PORT.sub(rb"\1 = %d" % port, configuration)


def port_in_use(files: Files) -> int:
    """The port in use on this host. Raises StepError `settings-unreadable`."""
    port = served_port(files.read(paths.OCSERV_CONF) or b"")
    if port is None:
        raise SETTINGS_UNREADABLE(path=paths.OCSERV_CONF)
    return port
