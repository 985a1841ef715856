"""What our own services on the host may do: change its files, ask systemd and the engine, use the network.

The engine works outside, behind its socket: so the services need none of its many rights. Root without
capabilities may still tell systemd what to do.

Of an account none of this holds: what a user's service manager can forbid rests on NoNewPrivileges, which
takes newuidmap(1) from rootless Podman, and what such a service may do is what the account may do.
"""

from collections.abc import Mapping

from mstunnel_setup import paths

_UNITS: Mapping[str, str] = {"podman": "podman.socket", "docker": "docker.service"}
_SOCKETS: Mapping[str, str] = {
    "podman": "Environment=CONTAINER_HOST=unix:///run/podman/podman.sock\n",
    "docker": "",
}
# CAP_SYS_MODULE is for a tunnel device that an update of the system has taken away.
_LIMITS = """\
CapabilityBoundingSet=CAP_CHOWN CAP_DAC_OVERRIDE CAP_FOWNER CAP_SYS_MODULE
DevicePolicy=closed
LockPersonality=true
NoNewPrivileges=true
PrivateTmp=true
ProtectClock=true
ProtectControlGroups=true
ProtectHome=read-only
ProtectHostname=true
ProtectKernelLogs=true
ProtectKernelTunables=true
ProtectProc=invisible
ProtectSystem=strict
ReadWritePaths=/etc /run /var
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=true
RestrictRealtime=true
RestrictSUIDSGID=true
SystemCallArchitectures=native
SystemCallFilter=@system-service @module
SystemCallErrorNumber=EPERM
UMask=0077
"""


def start_order(engine: str, *after: str, rootless: bool = paths.ROOTLESS) -> str:
    """The lines of `[Unit]`: network and `engine` are wanted; they, and the units `after`, start before.

    The service manager of an account (`rootless`) knows neither.
    """
    if rootless:
        return f"After={' '.join(after)}\n"
    wanted = f"network-online.target {_UNITS[engine]}"
    return f"Wants={wanted}\nAfter={' '.join((wanted, *after))}\n"


def limits(engine: str, *, rootless: bool = paths.ROOTLESS) -> str:
    """The lines of `[Service]` for a service that uses `engine` (podman or docker)."""
    if rootless:
        return "UMask=0077\n"
    return _SOCKETS[engine] + _LIMITS
