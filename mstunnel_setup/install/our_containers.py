"""The specifications of the two containers: their processes, mounts and privileges."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mstunnel_setup.actions.tunnel_device import DEVICE
from mstunnel_setup.base import paths
from mstunnel_setup.containers import uplink_address
from mstunnel_setup.containers.container_spec import (
    CONFIGURATION_LABEL,
    HARDWARE_ADDRESSES,
    ContainerSpec,
    HealthCheck,
    Network,
    Port,
    Protocol,
    Tmpfs,
    Volume,
)
from mstunnel_setup.gateway.fields import MOST_DRAIN_SECONDS

_HEALTH_COMMAND = ("/usr/libexec/mstunnel/healthcheck",)
# The interval is long because each check starts Podman; the monitor checks a silent container much sooner.
_HEALTH_SECONDS = 1800
_SERVER_PROCESSES = 10_000
_AGENT_PROCESSES = 100
# The stop timeout exceeds the time that ocserv takes to end its sessions; otherwise it would be killed.
_SERVER_STOP = MOST_DRAIN_SECONDS + 15
JOURNAL: Final = "/run/systemd/journal/dev-log"
"""The journal's socket for syslog."""
# The tunnel device needs the first capability. ocserv needs the others for its workers, which parse input of
# unknown clients as a separate user: it changes to that user, gives it the socket to the process with the
# key, and ends the workers.
_SERVER_CAPABILITIES = ("NET_ADMIN", "CHOWN", "KILL", "SETGID", "SETUID")
# With this option the engine relabels the volume for containers; without SELinux it has no effect.
_OURS = "z"
# A file inherits the SELinux level of the process that creates it. The agent and later containers read the
# gateway's files, so the containers run without the categories by which the engine separates containers.
_SHARED_LEVEL = "s0"
# Host directories hold no programs or devices; engine_options translates these options for Docker.
_DATA_ONLY = ("noexec", "nosuid", "nodev")
# By default the kernel counts no bytes or seconds of connections and keeps a closed one for long.
_COUNTING = {
    "net.netfilter.nf_conntrack_acct": "1",
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait": "1",
    "net.netfilter.nf_conntrack_timestamp": "1",
}
_ROOTS = ("mode=0755",)
# The gateway sees only the configuration that it serves: empty directories hide the agent's identity and the
# messages between agent and monitor, whichever user its main process runs as.
_NOT_OF_THE_GATEWAY = tuple(
    Tmpfs(path=path, options=("ro", "notmpcopyup", "size=4k", "mode=0500"))
    for path in (paths.AGENT_DIRECTORY, paths.MESSAGES)
)
_PROTOCOLS: Final[tuple[Protocol, ...]] = ("tcp", "udp")
_TEMPORARY = Tmpfs(path="/tmp")  # noqa: S108 (inside the container)


def _mounted(host: str, container: str, *, writable: bool = False) -> Volume:
    """Return the volume for a product directory, mounted without programs and devices."""
    access = () if writable else ("ro",)
    return Volume(host=host, container=container, options=(*access, *_DATA_ONLY, _OURS))


@dataclass(frozen=True, kw_only=True)
class ContainerHost:
    """Properties of the host on which the containers will run.

    `configuration` is the directory to mount at /etc/mstunnel, `server_state` and `agent_state` those for
    what the containers report, `environment` the content of `env.sh`, `limits_processes` whether the
    kernel has the pids controller, `traced` whether an access log is wanted, `journal` the socket of the
    journal for syslog where there is one, `local_names` what the engine knows images by, where that is not
    their reference, `network` what connects containers without root, `ipv6_network` the network of Podman
    that gives them IPv6 (empty: none), `rootless` whether an account runs them, `resolver` the file with the
    name servers of the host, where the server has an uplink instead.
    """

    configuration: str
    server_state: str
    agent_state: str
    environment: bytes
    limits_processes: bool
    traced: bool = False
    journal: str = ""
    local_names: Mapping[str, str] = field(default_factory=dict)
    network: Network = ""
    ipv6_network: str = ""
    rootless: bool = False
    resolver: str = ""


def server(image: str, host: ContainerHost, listen_port: int) -> ContainerSpec:
    """Return the specification of the VPN server, ocserv.

    It needs only the tunnel device and a few capabilities. With an access log the kernel counts connections
    and the container writes to the journal under a separate tag. With an uplink, root's rules publish the
    port and a hook connects the container when it starts.
    """
    network: Network = "none" if host.resolver else host.network
    address = "" if network else HARDWARE_ADDRESSES[paths.SERVER]
    # Only the syslog socket is mounted: others in its directory control the journal and write any field. It
    # keeps its SELinux type, since container-selinux lets containers send to the log.
    has_journal = host.traced and host.journal
    ports = [Port(host=listen_port, container=listen_port, protocol=protocol) for protocol in _PROTOCOLS]
    return ContainerSpec(
        name=paths.SERVER,
        description="Microsoft Tunnel server",
        log_tag=paths.SERVER_TAG,
        selinux_level=_SHARED_LEVEL,
        image=image,
        local_name=host.local_names.get(image, ""),
        volumes=(
            _mounted(host.configuration, paths.CONFIGURATION),
            _mounted(host.server_state, paths.SERVER_STATE_INSIDE, writable=True),
            *([Volume(host=host.journal, container=JOURNAL, options=("ro",))] if has_journal else []),
            *([_mounted(paths.RESOLVER, "/etc/resolv.conf")] if host.resolver else []),
        ),
        devices=(DEVICE,),
        capabilities=_SERVER_CAPABILITIES,
        network=network,
        ipv6_network=host.ipv6_network,
        hardware_address=address,
        hooks=uplink_address.DIRECTORY if host.resolver else "",
        resolver=host.resolver,
        ports=() if host.resolver else tuple(ports),
        sysctls={
            "net.ipv4.ip_forward": "1",
            "net.ipv4.ip_unprivileged_port_start": "0",
            **({"net.ipv6.conf.all.forwarding": "1"} if host.ipv6_network else {}),
            **(_COUNTING if host.traced else {}),
        },
        # Only root may write here; by default the engine would let every user write, and so the workers.
        tmpfs=(
            Tmpfs(path="/run", options=_ROOTS),
            _TEMPORARY,
            Tmpfs(path="/etc/ssl/certs", options=_ROOTS),
            *_NOT_OF_THE_GATEWAY,
        ),
        health=HealthCheck(command=_HEALTH_COMMAND, interval=_HEALTH_SECONDS, retries=2, start_period=20),
        # A container keeps the port and network of its creation, so a change of either must re-create it.
        labels=_labels(
            image, host.environment, str(listen_port), network, host.ipv6_network, host.resolver, address
        ),
        pids_limit=_SERVER_PROCESSES if host.limits_processes else None,
        stop_timeout=_SERVER_STOP,
    )


def agent(image: str, host: ContainerHost) -> ContainerSpec:
    """Return the specification of the agent, which syncs the configuration with the tenant and checks in.

    It runs as a user that does not exist on the host and writes into its own directories only. Its group is
    root, as for arbitrary users in OpenShift, so that it can read the product's files. In a rootless
    installation it runs as the account.
    """
    address = "" if host.network else HARDWARE_ADDRESSES[paths.AGENT]
    return ContainerSpec(
        name=paths.AGENT,
        description="Microsoft Tunnel agent",
        image=image,
        local_name=host.local_names.get(image, ""),
        user=0 if host.rootless else paths.AGENT_USER,
        volumes=(
            _mounted(host.configuration, paths.CONFIGURATION),
            # The agent writes only into these directories below the configuration.
            *(
                _mounted(f"{host.configuration}{own.removeprefix(paths.CONFIGURATION)}", own, writable=True)
                for own in (paths.AGENT_DIRECTORY, paths.INBOX)
            ),
            _mounted(host.agent_state, paths.AGENT_STATE_INSIDE, writable=True),
            # The agent reads the gateway's status files only; it has no other access to the gateway.
            _mounted(host.server_state, paths.SERVER_STATE_INSIDE),
        ),
        network=host.network,
        ipv6_network=host.ipv6_network,
        hardware_address=address,
        tmpfs=(Tmpfs(path="/run"), _TEMPORARY),
        # The health check detects a hang of the agent's loop. The agent may be killed for it, since that ends
        # no session; only a slow start must not count as a hang.
        health=HealthCheck(
            command=_HEALTH_COMMAND, interval=_HEALTH_SECONDS, retries=2, start_period=120, kill=True
        ),
        labels=_labels(image, host.environment, host.network, host.ipv6_network, address),
        pids_limit=_AGENT_PROCESSES if host.limits_processes else None,
    )


def _labels(image: str, environment: bytes, *more: str) -> dict[str, str]:
    """Return a label that changes if a restart is needed; the gateway reloads its other files itself."""
    content = b"\0".join((image.encode(), environment, *(item.encode() for item in more if item)))
    return {CONFIGURATION_LABEL: hashlib.sha256(content).hexdigest()}
