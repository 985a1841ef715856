"""Modules and settings of the kernel that matter (reference: prerequisites 6, environment and paths 6)."""

MODULE_FILES = {
    "tun": "/etc/modules-load.d/mstunnel_tun.conf",
    "ip_tables": "/etc/modules-load.d/mstunnel_iptables.conf",
}
"""The modules, each with the file of ours that loads it at boot."""
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
