"""Modules and settings of the kernel that matter (reference: prerequisites 6, environment and paths 6)."""

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
PORT_START = "net.ipv4.ip_unprivileged_port_start"
NAMESPACES = "user.max_user_namespaces"
ROOTLESS = {
    "net.core.somaxconn": "8192",
    "net.netfilter.nf_conntrack_acct": "1",
    "net.netfilter.nf_conntrack_timestamp": "1",
}
"""The least values that the vendor asks for in rootless mode."""


def wanted(rootless_port: int | None) -> dict[str, str]:
    """The settings that a gateway needs, each with its least value; `rootless_port` is None with root."""
    if rootless_port is None:
        return {FORWARD: "1"}
    return {FORWARD: "1", **ROOTLESS, PORT_START: str(rootless_port)}


def suffices(name: str, value: str | None, least: str) -> bool:
    """Whether a setting is as wanted; of the first port that needs no root less is more."""
    if name == PORT_START:
        # The kernel's own value, where nothing sets it (ip-sysctl.rst).
        return int(value or "1024") <= int(least)
    number = whole_number(value or "")
    if number is None:
        return False
    return value == least if name == FORWARD else number >= int(least)
