"""What stands against an uplink on this host (`system.uplink`), and where its name servers are listed."""

import re
from ipaddress import ip_address
from typing import Final

from mstunnel_setup.base.text import text
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.readiness import parse
from mstunnel_setup.readiness.read import text_of

_SECONDS: Final = 30.0
_PROGRAMS: Final = ("ip", "nft")
_DROPS: Final = re.compile(r"hook forward [^;]*; policy drop;")
# The second has what stands behind the local server of systemd-resolved.
_RESOLVERS: Final = ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf")


def obstacle(files: Files, processes: Processes) -> str:
    """Why a gateway would not be reached or would reach no name server by an uplink; empty when it would.

    Only root can see the rules of the host.
    """
    missing = [name for name in _PROGRAMS if processes.find(name) is None]
    if missing:
        return text("{missing} is not installed", missing=" and ".join(missing))
    firewalld = processes.find("firewall-cmd") is not None
    if firewalld and processes.run(["firewall-cmd", "--state"], timeout=_SECONDS, check=False).code == 0:
        return text("firewalld filters forwarded packets")
    # A rule that drops is final, whatever other tables accept: ufw and Docker have one.
    chains = processes.run(["nft", "list", "chains"], timeout=_SECONDS, check=False).output
    if _DROPS.search(chains):
        return text("a rule of this host, such as one of ufw or Docker, drops forwarded packets")
    return "" if resolver(files) else text("its only name server listens on the host's loopback")


def resolver(files: Files) -> str:
    """The file with a name server that a gateway can reach by an uplink; empty when there is none."""
    for path in _RESOLVERS:
        if any(not ip_address(name).is_loopback for name in parse.resolvers(text_of(files, path))):
            return path
    return ""
