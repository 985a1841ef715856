"""Modules and settings of the kernel that matter (reference: prerequisites 6, environment and paths 6)."""

from collections.abc import Sequence

from mstunnel_setup.base.parsing import whole_number

MODULE_FILES = {
    "tun": "/etc/modules-load.d/mstunnel_tun.conf",
    "ip_tables": "/etc/modules-load.d/mstunnel_iptables.conf",
}
"""The modules, each with the file of ours that loads it at boot."""
CONNTRACK_MODULE_FILES = {"nf_conntrack": "/etc/modules-load.d/mstunnel_conntrack.conf"}
"""The module with the settings about connections."""
SYSCTL_FILE = "/etc/sysctl.d/90-mstunnel.conf"

FORWARD = "net.ipv4.ip_forward"
FORWARD_6 = "net.ipv6.conf.all.forwarding"
PORT_START = "net.ipv4.ip_unprivileged_port_start"
NAMESPACES = "user.max_user_namespaces"
UNANSWERED = "net.netfilter.nf_conntrack_tcp_timeout_syn_sent"
"""Seconds for which the host forwards a connection that nothing answers to where it did first."""
_UNANSWERED_SECONDS = "3"
ROOTLESS = {
    "net.core.somaxconn": "8192",
    "net.netfilter.nf_conntrack_acct": "1",
    "net.netfilter.nf_conntrack_timestamp": "1",
}
"""The least values that the vendor asks for in rootless mode."""


# Of these less is more; the values where nothing sets them (ip-sysctl.rst, nf_conntrack-sysctl.rst).
_KERNEL_VALUES = {PORT_START: "1024", UNANSWERED: "120"}


def accepting(device: str) -> str:
    """The setting with which a network device takes routes from routers."""
    # In the name of a device a dot is written as a slash (sysctl.d(5)).
    return f"net.ipv6.conf.{device.replace('.', '/')}.accept_ra"


def wanted(
    rootless_port: int | None, advertised: Sequence[str] | None = None, *, uplink: bool = False
) -> dict[str, str]:
    """The settings that a gateway needs, each with its least or its greatest value, in the order to set them.

    `rootless_port` is None with root; with an `uplink` the kernel forwards the port, and no program of the
    account listens on it; `advertised` are the devices whose default route of IPv6 routers
    advertise, None where the gateway gets no IPv6: a host that forwards keeps such routes with accept_ra 2.

    With root the engine forwards the port to the address of the container, and every container gets another
    one. A device that connects while the container is replaced would be forwarded to the address before for
    two minutes (Linux, commit e15d4cdf27cb); with the shorter time its second or third SYN arrives.
    """
    if rootless_port is not None:
        listens = {} if uplink else {PORT_START: str(rootless_port)}
        return {FORWARD: "1", **ROOTLESS, **listens}
    ipv6 = {} if advertised is None else {**{accepting(device): "2" for device in advertised}, FORWARD_6: "1"}
    return {FORWARD: "1", **ipv6, UNANSWERED: _UNANSWERED_SECONDS}


def suffices(name: str, value: str | None, bound: str) -> bool:
    """Whether a setting is as wanted; of a time, and of the first port that needs no root, less is more."""
    number = whole_number(value or _KERNEL_VALUES.get(name, ""))
    if number is None:
        return False
    if name in _KERNEL_VALUES:
        return number <= int(bound)
    return value == bound if name in (FORWARD, FORWARD_6) else number >= int(bound)
