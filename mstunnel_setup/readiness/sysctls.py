"""The kernel settings that matter, by name (reference: prerequisites 6, environment and paths 6)."""

FORWARD = "net.ipv4.ip_forward"
PORT_START = "net.ipv4.ip_unprivileged_port_start"
NAMESPACES = "user.max_user_namespaces"
ROOTLESS = {
    "net.core.somaxconn": "8192",
    "net.netfilter.nf_conntrack_acct": "1",
    "net.netfilter.nf_conntrack_timestamp": "1",
}
"""The least values that the vendor asks for in rootless mode."""
