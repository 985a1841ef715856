"""A systemd unit that calls an engine: for Docker, and for Podman where Quadlet is not possible (cgroup v1).

The processes of the unit are only clients of the engine: one creates the container, one waits for its end.
So the unit has a strict sandbox, while the container gets what its specification says.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mstunnel_setup.base import rendering
from mstunnel_setup.containers.run_arguments import EngineName, container_options
from mstunnel_setup.containers.spec import ContainerSpec


@dataclass(frozen=True)
class _Client:
    """How a unit calls an engine: command, unit to wait for (and to stop with), the options of `run`."""

    command: str
    unit: str
    options: tuple[str, ...] = ()
    part_of: bool = False


_CLIENTS: Mapping[EngineName, _Client] = {
    # A stop or restart of the daemon stops us first, so that devices are disconnected properly.
    "docker": _Client("/usr/bin/docker", "docker.service", part_of=True),
    "podman": _Client(
        "/usr/bin/podman --url unix:///run/podman/podman.sock", "podman.socket", ("--pull=never",)
    ),
}
WANTED_BY: Mapping[EngineName, tuple[str, ...]] = {
    # A unit that was stopped with the daemon starts with it again.
    "docker": ("multi-user.target", "docker.service"),
    "podman": ("multi-user.target",),
}


def render(spec: ContainerSpec, engine: EngineName) -> str:
    """The text of `NAME.service` for `spec`."""
    client = _CLIENTS[engine]
    logged = ("--log-driver=journald", f"--log-opt=tag={spec.log_tag or spec.name}")
    words = (*client.options, *logged, *container_options(spec, engine), spec.local_image)
    return rendering.render(
        "systemd/mstunnel.service", spec=spec, client=client, words=words, wanted_by=WANTED_BY[engine]
    )
