"""Relevant kernel modules and settings (reference: prerequisites 6, environment and paths 6)."""

from collections.abc import Sequence

from mstunnel_setup.base.parsing import whole_number

MODULE_FILES = {
    "tun": "/etc/modules-load.d/mstunnel_tun.conf",
    "ip_tables": "/etc/modules-load.d/mstunnel_iptables.conf",
}
"""The modules, each with our file that loads it at boot."""
CONNTRACK_MODULE_FILES = {"nf_conntrack": "/etc/modules-load.d/mstunnel_conntrack.conf"}
"""The module with the settings for connection tracking."""
SYSCTL_FILE = "/etc/sysctl.d/90-mstunnel.conf"

FORWARD = "net.ipv4.ip_forward"
FORWARD_6 = "net.ipv6.conf.all.forwarding"
PORT_START = "net.ipv4.ip_unprivileged_port_start"
NAMESPACES = "user.max_user_namespaces"
UNANSWERED = "net.netfilter.nf_conntrack_tcp_timeout_syn_sent"
"""Seconds for which the host forwards an unanswered connection to its first target."""
_UNANSWERED_SECONDS = "3"
ROOTLESS = {
    "net.core.somaxconn": "8192",
    "net.netfilter.nf_conntrack_acct": "1",
    "net.netfilter.nf_conntrack_timestamp": "1",
}
"""The minimum values that the vendor requires in rootless mode."""


# Lower values of these are better. The values are the kernel's defaults (ip-sysctl.rst,
# nf_conntrack-sysctl.rst).
_KERNEL_VALUES = {PORT_START: "1024", UNANSWERED: "120"}


def accepting(device: str) -> str:
    """Return the setting by which a network device accepts routes from routers."""
    # In a device name a dot is written as a slash (sysctl.d(5)).
    return f"net.ipv6.conf.{device.replace('.', '/')}.accept_ra"


def wanted(
    rootless_port: int | None, advertised: Sequence[str] | None = None, *, uplink: bool = False
) -> dict[str, str]:
    """Return a gateway's settings with their minimum or maximum values, in the order to set them.

    `rootless_port` is None with root. With an `uplink` the kernel forwards the port, and no program of the
    account listens on it. `advertised` are the devices whose IPv6 default route routers advertise, None if
    the gateway gets no IPv6: a forwarding host keeps such routes only with accept_ra 2.

    With root the engine forwards the port to the container's address, and every container gets another one. A
    device that connects while the container is replaced would be forwarded to the old address for two minutes
    (Linux, commit e15d4cdf27cb); with the shorter time its second or third SYN arrives.
    """
    if rootless_port is not None:
        listens = {} if uplink else {PORT_START: str(rootless_port)}
        return {FORWARD: "1", **ROOTLESS, **listens}
    ipv6 = {} if advertised is None else {**{accepting(device): "2" for device in advertised}, FORWARD_6: "1"}
    return {FORWARD: "1", **ipv6, UNANSWERED: _UNANSWERED_SECONDS}


def suffices(name: str, value: str | None, bound: str) -> bool:
    """Return whether a setting meets its bound: a maximum for a time and the first unprivileged port."""
    number = whole_number(value or _KERNEL_VALUES.get(name, ""))
    if number is None:
        return False
    if name in _KERNEL_VALUES:
        return number <= int(bound)
    return value == bound if name in (FORWARD, FORWARD_6) else number >= int(bound)
