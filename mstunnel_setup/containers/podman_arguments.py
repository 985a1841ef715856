"""The command line of `podman create` for a specification: the same options that a Quadlet file leads to."""

import json
from collections.abc import Iterator, Sequence

from mstunnel_setup.containers.spec import ContainerSpec, HealthCheck, Volume


def create_arguments(spec: ContainerSpec) -> tuple[str, ...]:
    """What stands behind `podman` to create the container of `spec`."""
    return ("create", *_options(spec), spec.image)


def volume_arguments(volumes: Sequence[Volume]) -> Iterator[str]:
    """The options that mount `volumes`."""
    for volume in volumes:
        yield f"--volume={volume.host}:{volume.container}:{','.join(volume.options or ('rw',))}"


def _options(spec: ContainerSpec) -> Iterator[str]:
    yield f"--name={spec.name}"
    yield "--pull=never"
    yield "--restart=always"
    yield f"--read-only={str(spec.read_only).lower()}"
    yield f"--user={spec.user}:{spec.group}"
    yield "--security-opt=no-new-privileges"
    yield "--cap-drop=all"
    yield from (f"--cap-add={name}" for name in spec.capabilities)
    yield from (f"--device={path}" for path in spec.devices)
    yield from (f"--env-file={path}" for path in spec.environment_files)
    yield from volume_arguments(spec.volumes)
    yield from (f"--tmpfs={mount.path}:{','.join(mount.options or ('rw',))}" for mount in spec.tmpfs)
    yield from (f"--publish={port.host}:{port.container}/{port.protocol}" for port in spec.ports)
    yield from (f"--sysctl={name}={value}" for name, value in spec.sysctls.items())
    yield from (f"--label={name}={value}" for name, value in spec.all_labels.items())
    if spec.pids_limit is not None:
        yield f"--pids-limit={spec.pids_limit}"
    yield f"--stop-timeout={spec.stop_timeout}"
    if spec.health is not None:
        yield from _health(spec.health)


def _health(health: HealthCheck) -> Iterator[str]:
    yield f"--health-cmd={json.dumps(health.command)}"
    yield f"--health-interval={health.interval}s"
    yield f"--health-timeout={health.timeout}s"
    yield f"--health-retries={health.retries}"
    yield f"--health-start-period={health.start_period}s"
