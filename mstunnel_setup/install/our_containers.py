"""The two containers, as data: what they run, see and may do."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from mstunnel_setup.actions import uplink
from mstunnel_setup.actions.tunnel_device import DEVICE
from mstunnel_setup.base import paths
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
# Each check starts Podman. The monitor checks a container that no longer reports much sooner.
_HEALTH_SECONDS = 1800
_SERVER_PROCESSES = 10_000
_AGENT_PROCESSES = 100
# Longer than ocserv may let its sessions go on, or the engine would kill it and them in between.
_SERVER_STOP = MOST_DRAIN_SECONDS + 15
JOURNAL: Final = "/run/systemd/journal/dev-log"
"""The journal's socket for syslog."""
# The tunnel takes the first. Workers, which parse what unknown clients send, are a user of their own: ocserv
# changes to that user, gives it the socket to the process with the key, and has to end them.
_SERVER_CAPABILITIES = ("NET_ADMIN", "CHOWN", "KILL", "SETGID", "SETUID")
# The engine gives these the SELinux type that containers may use; without SELinux it does nothing.
_OURS = "z"
# A file has the level of the process that made it. Those of the gateway are read by the agent, and after the
# next start by another container: they get no categories, with which the engine keeps containers apart.
_SHARED_LEVEL = "s0"
# Nothing in the directories of the host is a program or a device; engine_options has what Docker makes of it.
_DATA_ONLY = ("noexec", "nosuid", "nodev")
# The kernel counts bytes and seconds of connections only when asked, and else forgets a closed one late.
_COUNTING = {
    "net.netfilter.nf_conntrack_acct": "1",
    "net.netfilter.nf_conntrack_tcp_timeout_time_wait": "1",
    "net.netfilter.nf_conntrack_timestamp": "1",
}
_ROOTS = ("mode=0755",)
# Of the configuration's directory the gateway gets what it serves with: the agent's identity and the messages
# between agent and monitor are under an empty directory there, whichever user its main process becomes.
_NOT_OF_THE_GATEWAY = tuple(
    Tmpfs(path=path, options=("ro", "notmpcopyup", "size=4k", "mode=0500"))
    for path in (paths.AGENT_DIRECTORY, paths.MESSAGES)
)
_PROTOCOLS: Final[tuple[Protocol, ...]] = ("tcp", "udp")
_TEMPORARY = Tmpfs(path="/tmp")  # noqa: S108 (inside the container)


def _mounted(host: str, container: str, *, writable: bool = False) -> Volume:
    """A directory of ours in a container: nothing in it is a program or a device."""
    access = () if writable else ("ro",)
    return Volume(host=host, container=container, options=(*access, *_DATA_ONLY, _OURS))


@dataclass(frozen=True, kw_only=True)
class ContainerHost:
    """Where the containers will run.

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
    """The VPN server: ocserv. It needs the tunnel device and its capabilities, nothing more.

    With an access log the kernel counts its connections, and it reaches the journal, under a separate tag.
    With an uplink root's rules publish the port, and a hook connects the container when it starts.
    """
    network: Network = "none" if host.resolver else host.network
    address = "" if network else HARDWARE_ADDRESSES[paths.SERVER]
    # The socket for syslog alone: beside it are those that control the journal and write any field. It keeps
    # its SELinux type; containers may send to the log (container-selinux).
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
        hooks=uplink.DIRECTORY if host.resolver else "",
        resolver=host.resolver,
        ports=() if host.resolver else tuple(ports),
        sysctls={
            "net.ipv4.ip_forward": "1",
            "net.ipv4.ip_unprivileged_port_start": "0",
            **({"net.ipv6.conf.all.forwarding": "1"} if host.ipv6_network else {}),
            **(_COUNTING if host.traced else {}),
        },
        # Root's alone, where an engine would let every user write; the workers are one.
        tmpfs=(
            Tmpfs(path="/run", options=_ROOTS),
            _TEMPORARY,
            Tmpfs(path="/etc/ssl/certs", options=_ROOTS),
            *_NOT_OF_THE_GATEWAY,
        ),
        health=HealthCheck(command=_HEALTH_COMMAND, interval=_HEALTH_SECONDS, retries=2, start_period=20),
        # A container keeps the port and the network that it was created with.
        labels=_labels(
            image, host.environment, str(listen_port), network, host.ipv6_network, host.resolver, address
        ),
        pids_limit=_SERVER_PROCESSES if host.limits_processes else None,
        stop_timeout=_SERVER_STOP,
    )


def agent(image: str, host: ContainerHost) -> ContainerSpec:
    """The agent: keeps the configuration in step with the tenant and checks in.

    It runs as a user that does not exist on the host, and may write into its own directories only. Its group
    is root's, which may read most of what root keeps, as OpenShift has it for users without a name.
    Without root it is the account.
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
            # Its own directories below the configuration.
            *(
                _mounted(f"{host.configuration}{own.removeprefix(paths.CONFIGURATION)}", own, writable=True)
                for own in (paths.AGENT_DIRECTORY, paths.INBOX)
            ),
            _mounted(host.agent_state, paths.AGENT_STATE_INSIDE, writable=True),
            # What the gateway says about itself; the agent can ask nothing else of it.
            _mounted(host.server_state, paths.SERVER_STATE_INSIDE),
        ),
        network=host.network,
        ipv6_network=host.ipv6_network,
        hardware_address=address,
        tmpfs=(Tmpfs(path="/run"), _TEMPORARY),
        # The watchdog of its loop. No session ends with it; a slow start must not count as a hang.
        health=HealthCheck(
            command=_HEALTH_COMMAND, interval=_HEALTH_SECONDS, retries=2, start_period=120, kill=True
        ),
        labels=_labels(image, host.environment, host.network, host.ipv6_network, address),
        pids_limit=_AGENT_PROCESSES if host.limits_processes else None,
    )


def _labels(image: str, environment: bytes, *more: str) -> dict[str, str]:
    """A label that changes when a restart is needed; the gateway reloads its other files automatically."""
    content = b"\0".join((image.encode(), environment, *(item.encode() for item in more if item)))
    return {CONFIGURATION_LABEL: hashlib.sha256(content).hexdigest()}
