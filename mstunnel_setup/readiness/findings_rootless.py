"""Findings of the checks for rootless gateways, each declared once (docs/reference/readiness.md)."""

from functools import partial

from mstunnel_setup.readiness.model import Outcome, declare_verdict

_problem = partial(declare_verdict, None)
_unknown = partial(declare_verdict, Outcome.UNKNOWN)

PODMAN_MISSING = _problem("rootless-engine", "rootless requires Podman", "Install Podman {least} or later.")
PODMAN_VERSION_UNKNOWN = _unknown(
    "rootless-engine", "podman does not report its version", "Check `podman --version`."
)
PODMAN_OLD = _problem(
    "rootless-engine", "podman {version} is older than {least}", "Update Podman to {least} or later."
)
ACCOUNT_MISSING = _problem(
    "rootless-account", "there is no account {account}", "Create it: `{command}`, or run with --fix."
)
SUBORDINATE_IDS_MISSING = _problem(
    "rootless-*", "{found} of {wanted} for {account} in /etc/{name}", "Run `{command}`, or run with --fix."
)
LINGER_OFF = _problem(
    "rootless-linger",
    "containers end at logout and do not start at boot",
    "Run `{command}`, or run with --fix.",
)
ROOTLESS_PLATFORM_OLD = _problem(
    "rootless-platform",
    "{name} is older than {least}, the vendor's minimum without root",
    "Use {least} or later, or install the gateway as root.",
)
HOME_ELSEWHERE = _problem(
    "rootless-home",
    "the home of {account} is {home}, not below /home",
    "Move it: `usermod --home /home/{account} --move-home {account}`.",
)
HOME_FULL = _problem("rootless-home-space", "{seen}", "Free 10 GB there: `df -h {home}`.")
DIRECTORY_OWNER = _problem("rootless-folder", "uid {uid} owns it", "Run `chown -R {account} /etc/mstunnel`.")
PORT_NEEDS_ROOT = _problem(
    "rootless-port",
    "ports below {start} need root",
    "Set it: `sysctl -w net.ipv4.ip_unprivileged_port_start={port}`, or run with --fix.",
)
SYSCTL_TOO_SMALL = _problem("rootless-*", "{seen}", "Set it: `sysctl -w {name}={least}`, or run with --fix.")
NAMESPACES_OFF = _problem(
    "rootless-namespaces",
    "user.max_user_namespaces is {value}",
    "Allow some: `sysctl -w user.max_user_namespaces=15076`.",
)
UPLINK_MISSING = _problem(
    "rootless-uplink",
    "no uplink for port {port}: a program handles each packet, and may upload 2 Mbit/s",
    "Run `sudo mstunnel-setup host --port {port}`, then mstunnel-setup.",
)
UPLINK_OBSTRUCTED = _problem(
    "rootless-uplink",
    "no uplink works for port {port}: {obstacle}",
    "Without one the gateway uses pasta or slirp4netns, which is slower. For one, remove the obstacle, "
    "then run `sudo mstunnel-setup host --port {port}` and mstunnel-setup.",
)
USER_NETWORK_MISSING = _problem(
    "rootless-network", "neither pasta nor slirp4netns is installed", "Install passt, which provides pasta."
)
CGROUP_ROOTLESS = _problem(
    "rootless-cgroup",
    "rootless containers need version 2 for limits",
    "Boot with `systemd.unified_cgroup_hierarchy=1` on the kernel command line.",
)
