"""Sandbox options of our services on the host: they change files, use systemd, the engine and the network.

The engine runs outside, behind its socket, so the services do not need its privileges. Root without
capabilities may still control systemd.

None of this applies to an account's services: the sandbox of a user's service manager requires
NoNewPrivileges, which breaks newuidmap(1) of rootless Podman; they have the permissions of the account.
"""

from collections.abc import Mapping

from mstunnel_setup import paths

_UNITS: Mapping[str, str] = {"podman": "podman.socket", "docker": "docker.service"}
_SOCKETS: Mapping[str, str] = {
    "podman": "Environment=CONTAINER_HOST=unix:///run/podman/podman.sock\n",
    "docker": "",
}
# CAP_SYS_MODULE: to load the tunnel module again after a system update.
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
    """Lines of `[Unit]`: wants the network and `engine`, and starts after them and after the units `after`.

    The service manager of an account (`rootless`) has neither.
    """
    if rootless:
        return f"After={' '.join(after)}\n"
    wanted = f"network-online.target {_UNITS[engine]}"
    return f"Wants={wanted}\nAfter={' '.join((wanted, *after))}\n"


def limits(engine: str, *, rootless: bool = paths.ROOTLESS) -> str:
    """Lines of `[Service]` for a service that uses `engine` (podman or docker)."""
    if rootless:
        return "UMask=0077\n"
    return _SOCKETS[engine] + _LIMITS
