"""Modules and settings of the kernel that matter (reference: prerequisites 6, environment and paths 6)."""

from collections.abc import Sequence

from mstunnel_setup.foreign import whole_number

MODULE_FILES = {
    "tun": "/etc/modules-load.d/mstunnel_tun.conf",
    "ip_tables": "/etc/modules-load.d/mstunnel_iptables.conf",
}
"""The modules, each with the file of ours that loads it at boot."""
ROOTLESS_MODULE_FILES = {"nf_conntrack": "/etc/modules-load.d/mstunnel_conntrack.conf"}
"""What rootless mode needs besides: the module with the settings about connections."""
SYSCTL_FILE = "/etc/sysctl.d/90-mstunnel.conf"

FORWARD = "net.ipv4.ip_forward"
FORWARD_6 = "net.ipv6.conf.all.forwarding"
PORT_START = "net.ipv4.ip_unprivileged_port_start"
NAMESPACES = "user.max_user_namespaces"
ROOTLESS = {
    "net.core.somaxconn": "8192",
    "net.netfilter.nf_conntrack_acct": "1",
    "net.netfilter.nf_conntrack_timestamp": "1",
}
"""The least values that the vendor asks for in rootless mode."""


def accepting(device: str) -> str:
    """The setting with which a network device takes routes from routers."""
    # In the name of a device a dot is written as a slash (sysctl.d(5)).
    return f"net.ipv6.conf.{device.replace('.', '/')}.accept_ra"


def wanted(rootless_port: int | None, advertised: Sequence[str] | None = None) -> dict[str, str]:
    """The settings that a gateway needs, each with its least value, in the order to set them.

    `rootless_port` is None with root; `advertised` are the devices whose default route of IPv6 routers
    advertise, None where the gateway gets no IPv6: a host that forwards keeps such routes with accept_ra 2.
    """
    if rootless_port is None and advertised is None:
        return {FORWARD: "1"}
    if rootless_port is None:
        return {FORWARD: "1", **{accepting(device): "2" for device in advertised or ()}, FORWARD_6: "1"}
    return {FORWARD: "1", **ROOTLESS, PORT_START: str(rootless_port)}


def suffices(name: str, value: str | None, least: str) -> bool:
    """Whether a setting is as wanted; of the first port that needs no root less is more."""
    if name == PORT_START:
        # The kernel's own value, where nothing sets it (ip-sysctl.rst).
        return int(value or "1024") <= int(least)
    number = whole_number(value or "")
    if number is None:
        return False
    return value == least if name in (FORWARD, FORWARD_6) else number >= int(least)
