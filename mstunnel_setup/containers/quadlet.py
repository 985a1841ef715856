"""Quadlet files (podman-systemd.unit(5)): a container as a systemd service, rendered and checked.

Podman 4.9 is the oldest that accepts every key used here; `PodmanArgs` replaces newer keys. `Notify=healthy`
is not used: systemd would block, then kill a container that becomes healthy slowly, and `--rm` would remove
its log; `launch` waits for health instead.
"""

import json
from collections.abc import Iterator
from pathlib import PurePosixPath

from packaging.version import Version

from mstunnel_setup import paths
from mstunnel_setup.containers.engine import clean
from mstunnel_setup.containers.errors import QUADLET_MISSING, QUADLET_REFUSED
from mstunnel_setup.containers.spec import ContainerSpec, HealthCheck
from mstunnel_setup.containers.start_order import start_order
from mstunnel_setup.containers.versions import release
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.process import Processes

# Debian, Fedora and RHEL; older Debian and Ubuntu; built from source.
_GENERATORS = (
    "/usr/libexec/podman/quadlet",
    "/usr/lib/podman/quadlet",
    "/usr/local/libexec/podman/quadlet",
)
_OLDEST = Version("4.9")


def render(spec: ContainerSpec, *, rootless: bool = False) -> str:
    """The text of `NAME.container` for `spec`; `rootless` is for the service manager of an account."""
    sections = {
        "Unit": _unit(spec, rootless=rootless),
        "Container": _container(spec),
        "Service": _service(spec),
        "Install": iter((f"WantedBy={'default.target' if rootless else 'multi-user.target'}",)),
    }
    return "\n".join("\n".join((f"[{name}]", *lines, "")) for name, lines in sections.items())


def available(processes: Processes, version: str) -> bool:
    """Whether this host has a generator, and Podman `version` supports every key used here."""
    known = release(version)
    return _generator(processes) is not None and (known is None or known >= _OLDEST)


def _generator(processes: Processes) -> str | None:
    return next(filter(processes.find, _GENERATORS), None)


def check(files: Files, processes: Processes, name: str, text: str) -> str:
    """Check `text`, the content of the file `name` (`NAME.container`), with Podman's generator.

    Returns the generated service. Raises EngineError `quadlet-refused` with the generator's reason, or
    `quadlet-missing` when there is no generator.
    """
    generator = _generator(processes)
    if generator is None:
        raise QUADLET_MISSING()
    files.make_directories(paths.QUADLET_DRAFTS, 0o755)
    try:
        files.write(f"{paths.QUADLET_DRAFTS}/{name}", text.encode())
        return _judge(processes, generator, str(files.locate(paths.QUADLET_DRAFTS)), name)
    finally:
        discard(files, name)


def discard(files: Files, name: str) -> None:
    """Remove the draft that `check` writes for the generator, also after an interrupted check."""
    if files.state(paths.QUADLET_DRAFTS) is not None:
        files.remove(f"{paths.QUADLET_DRAFTS}/{name}")
        files.remove_directory(paths.QUADLET_DRAFTS)


def _judge(processes: Processes, generator: str, folder: str, name: str) -> str:
    done = processes.run(
        [generator, "-dryrun", "-no-kmsg-log", *(["-user"] if paths.ROOTLESS else [])],
        timeout=180,
        check=False,
        environment={"QUADLET_UNIT_DIRS": folder},
    )
    # Older generators exit with 0 although they rejected a file: check for the service itself.
    marker = f"---{PurePosixPath(name).stem}.service---"
    if done.code != 0 or marker not in done.output:
        reason = clean(done.error).replace(folder, "")
        raise QUADLET_REFUSED(name=name, reason=reason)
    return done.output.partition(marker)[2].lstrip("\n")


def _unit(spec: ContainerSpec, *, rootless: bool) -> Iterator[str]:
    # `$` has no meaning outside commands.
    yield f"Description={spec.description.replace('%', '%%')}"
    # The service manager of an account has no system units; Podman's generator makes it wait for the network.
    yield from () if rootless else start_order()


def _container(spec: ContainerSpec) -> Iterator[str]:
    yield f"ContainerName={spec.name}"
    yield f"Image={spec.image}"
    # The image is already here, by digest; a service must never wait for a registry.
    yield "Pull=never"
    yield "LogDriver=journald"
    # The key LogOpt came with Podman 5.2.
    yield f"PodmanArgs=--log-opt=tag={spec.log_tag or spec.name}"
    yield f"ReadOnly={str(spec.read_only).lower()}"
    yield f"User={spec.user}"
    yield f"Group={spec.group}"
    yield "NoNewPrivileges=true"
    yield "DropCapability=all"
    yield from (f"AddCapability={name}" for name in spec.capabilities)
    yield from (f"AddDevice={path}" for path in spec.devices)
    yield from (f"EnvironmentFile={_quoted(path)}" for path in spec.environment_files)
    yield from _mounts(spec)
    if spec.network:
        yield f"Network={spec.network}"
    yield from (f"PublishPort={port.host}:{port.container}/{port.protocol}" for port in spec.ports)
    yield from (f"Sysctl={_quoted(f'{name}={value}')}" for name, value in spec.sysctls.items())
    yield from (f"Label={_quoted(f'{name}={value}')}" for name, value in spec.all_labels.items())
    if spec.pids_limit is not None:
        yield f"PidsLimit={spec.pids_limit}"
    # The key StopTimeout came with Podman 5.0.
    yield f"PodmanArgs=--stop-timeout={spec.stop_timeout}"
    if spec.health is not None:
        yield from _health(spec.health)


def _mounts(spec: ContainerSpec) -> Iterator[str]:
    for volume in spec.volumes:
        # Options are always written: no line may end with a backslash that belongs to a path.
        options = ",".join(volume.options or ("rw",))
        yield f"Volume={_verbatim(f'{volume.host}:{volume.container}:{options}')}"
    for mount in spec.tmpfs:
        options = ",".join(mount.options or ("rw",))
        yield f"Tmpfs={_verbatim(f'{mount.path}:{options}')}"


def _health(health: HealthCheck) -> Iterator[str]:
    yield f"HealthCmd={_verbatim(json.dumps(health.command))}"
    yield f"HealthInterval={health.interval}s"
    yield f"HealthTimeout={health.timeout}s"
    yield f"HealthRetries={health.retries}"
    yield f"HealthStartPeriod={health.start_period}s"


def _service(spec: ContainerSpec) -> Iterator[str]:
    yield "Restart=always"
    # Five starts in ten seconds would make systemd give up for good.
    yield "RestartSec=5"
    yield f"TimeoutStopSec={spec.stop_timeout + 30}"


def _quoted(value: str) -> str:
    """`value` as one word, for keys that the generator splits into words."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{_verbatim(escaped)}"'


def _verbatim(value: str) -> str:
    """`value` for keys that are taken as they are; it ends in a command, where % and $ are special."""
    return value.replace("%", "%%").replace("$", "$$")
