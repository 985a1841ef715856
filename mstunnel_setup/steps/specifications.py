"""The two containers, as data: what they run, see and may do."""

import hashlib

from mstunnel_setup import paths
from mstunnel_setup.containers.spec import (
    CONFIGURATION_LABEL,
    ContainerSpec,
    HealthCheck,
    Port,
    Tmpfs,
    Volume,
)

_HEALTH_COMMAND = ("/usr/libexec/mstunnel/healthcheck",)
_IN_MEMORY = (Tmpfs(path="/run"), Tmpfs(path="/tmp"))  # noqa: S108 (inside the container)


def server(image: str, configuration: str, environment: bytes, listen_port: int) -> ContainerSpec:
    """The VPN server: ocserv. It needs the tunnel device and NET_ADMIN, nothing more.

    `configuration` is the real folder to mount at /etc/mstunnel, `environment` the content of `env.sh`.
    """
    return ContainerSpec(
        name=paths.SERVER,
        description="Microsoft Tunnel server",
        image=image,
        volumes=(Volume(host=configuration, container=paths.CONFIGURATION, options=("ro",)),),
        devices=("/dev/net/tun",),
        capabilities=("NET_ADMIN",),
        ports=(
            Port(host=listen_port, container=listen_port, protocol="tcp"),
            Port(host=listen_port, container=listen_port, protocol="udp"),
        ),
        sysctls={"net.ipv4.ip_forward": "1"},
        tmpfs=_IN_MEMORY,
        health=HealthCheck(command=_HEALTH_COMMAND, interval=10, start_period=20),
        labels=_labels(image, environment),
        pids_limit=10_000,
    )


def agent(image: str, configuration: str, environment: bytes) -> ContainerSpec:
    """The agent: keeps the configuration in step with the tenant and checks in."""
    return ContainerSpec(
        name=paths.AGENT,
        description="Microsoft Tunnel agent",
        image=image,
        volumes=(Volume(host=configuration, container=paths.CONFIGURATION),),
        tmpfs=_IN_MEMORY,
        health=HealthCheck(command=_HEALTH_COMMAND, interval=30, start_period=30),
        labels=_labels(image, environment),
        pids_limit=100,
    )


def _labels(image: str, environment: bytes) -> dict[str, str]:
    """A label that changes when a restart is needed; the gateway follows its other files by itself."""
    return {CONFIGURATION_LABEL: hashlib.sha256(image.encode() + b"\0" + environment).hexdigest()}
