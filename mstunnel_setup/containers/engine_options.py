"""Options of `podman` and `docker` for a specification, and the systemd unit that calls them.

A Quadlet file leads to the same options.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

from mstunnel_setup.base import rendering
from mstunnel_setup.containers.container_spec import DIGEST_LABEL, ContainerSpec, Tmpfs, Volume

EngineName: TypeAlias = Literal["podman", "docker"]


def create_arguments(spec: ContainerSpec, engine: EngineName = "podman") -> tuple[str, ...]:
    """Return the arguments that create the container with restart policy `always`."""
    own = ("--pull=never",) if engine == "podman" else ("--log-driver=local",)
    return ("create", *own, "--restart=always", *container_options(spec, engine), spec.local_image)


# docker-run(1) does not support the first three for a bind mount; `--security-opt=no-new-privileges`, dropped
# capabilities and the device cgroup make programs and devices there harmless. Only Podman fills a tmpfs with
# the content below it, unless the last option is given (podman-run(1)).
_PODMAN_ONLY = frozenset({"noexec", "nosuid", "nodev", "notmpcopyup"})


def mount_words(mount: Volume | Tmpfs, engine: EngineName) -> str:
    """Return a mount as an option value, without options that the engine does not support."""
    place = mount.path if isinstance(mount, Tmpfs) else f"{mount.host}:{mount.container}"
    unknown = _PODMAN_ONLY if engine == "docker" else frozenset[str]()
    options = [option for option in mount.options if option not in unknown] or ["rw"]
    return f"{place}:{','.join(options)}"


def container_options(spec: ContainerSpec, engine: EngineName) -> Iterator[str]:
    """Yield the options of the container, for every run method."""
    yield f"--name={spec.name}"
    yield f"--read-only={str(spec.read_only).lower()}"
    yield f"--user={spec.user}:{spec.group}"
    yield "--security-opt=no-new-privileges"
    # A core file of the gateway would contain the TLS key, one of the agent its identity.
    yield "--ulimit=core=0:0"
    if spec.selinux_level:
        yield f"--security-opt=label=level:{spec.selinux_level}"
    yield "--cap-drop=all"
    yield from (f"--cap-add={name}" for name in spec.capabilities)
    yield from (f"--device={path}" for path in spec.devices)
    yield from (f"--volume={mount_words(volume, engine)}" for volume in spec.volumes)
    yield from (f"--tmpfs={mount_words(mount, engine)}" for mount in spec.tmpfs)
    yield from (f"--network={name}" for name in spec.networks)
    if spec.bridge_address:
        yield f"--mac-address={spec.bridge_address}"
    yield from (f"--publish={port.host}:{port.container}/{port.protocol}" for port in spec.ports)
    yield from (f"--sysctl={name}={value}" for name, value in spec.sysctls.items())
    yield from (f"--label={name}={value}" for name, value in spec.all_labels.items())
    if engine == "docker":
        # Docker loses the digest of an image that was loaded from an archive.
        yield f"--label={DIGEST_LABEL}={spec.image.partition('@')[2]}"
    if spec.pids_limit is not None:
        yield f"--pids-limit={spec.pids_limit}"
    yield f"--stop-timeout={spec.stop_timeout}"
    if (health := spec.health) is not None:
        # Docker accepts a shell command only, Podman also a list of words.
        command = shlex.join(health.command) if engine == "docker" else json.dumps(health.command)
        yield f"--health-cmd={command}"
        yield f"--health-interval={health.interval}s"
        yield f"--health-timeout={health.timeout}s"
        yield f"--health-retries={health.retries}"
        yield f"--health-start-period={health.start_period}s"
        if health.kill and engine == "podman":
            yield "--health-on-failure=kill"


WANTED_BY: Mapping[EngineName, tuple[str, ...]] = {
    # A unit that was stopped with the daemon starts with it again.
    "docker": ("multi-user.target", "docker.service"),
    "podman": ("multi-user.target",),
}


def unit_file(spec: ContainerSpec, engine: EngineName) -> str:
    """Return the text of `NAME.service`: for Docker, and for Podman without Quadlet (cgroup v1).

    Its processes are only clients of the engine: one creates the container, one waits for its end. So it has
    a strict sandbox, while the container gets the settings of its specification.
    """
    command = "/usr/bin/docker"
    words = ["--log-driver=journald", f"--log-opt=tag={spec.log_tag or spec.name}"]
    if engine == "podman":
        command = "/usr/bin/podman --url unix:///run/podman/podman.sock"
        words.insert(0, "--pull=never")
    return rendering.render(
        "systemd/mstunnel.service",
        spec=spec,
        command=command,
        service="docker.service" if engine == "docker" else "podman.socket",
        # A stop or restart of the daemon first stops this unit, so that devices are disconnected properly.
        part_of=engine == "docker",
        words=(*words, *container_options(spec, engine), spec.local_image),
        wanted_by=WANTED_BY[engine],
    )
