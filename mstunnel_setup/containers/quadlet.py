"""Quadlet files (podman-systemd.unit(5)): a container as a systemd service, rendered and checked.

Podman 4.9 is the oldest version that accepts every key used here; `PodmanArgs` replaces newer keys.
`Notify=healthy` is not used: systemd would block, then kill a container that becomes healthy slowly, and
`--rm` would remove its log; the step `launch` waits for health instead.
"""

import json
from pathlib import PurePosixPath

from packaging.version import Version

from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import printable
from mstunnel_setup.containers.container_spec import ContainerSpec
from mstunnel_setup.containers.versions import release
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes

# Paths in Debian, Fedora and RHEL; in older Debian and Ubuntu; when built from source.
_GENERATORS = (
    "/usr/libexec/podman/quadlet",
    "/usr/lib/podman/quadlet",
    "/usr/local/libexec/podman/quadlet",
)
_OLDEST = Version("4.9")


def render(spec: ContainerSpec, *, rootless: bool = False) -> str:
    """Return the text of `NAME.container`; `rootless` is for an account's service manager."""
    return rendering.render(
        "quadlet/mstunnel.container",
        spec=spec,
        rootless=rootless,
        health_command=json.dumps(spec.health.command) if spec.health else "",
        resolver_copy=paths.RESOLVER,
    )


def available(processes: Processes, version: str) -> bool:
    """Return whether this host has a generator, and Podman `version` supports every key used here."""
    known = release(version)
    return _generator(processes) is not None and (known is None or known >= _OLDEST)


def _generator(processes: Processes) -> str | None:
    return next(filter(processes.find, _GENERATORS), None)


def check(files: Files, processes: Processes, name: str, text: str) -> str:
    """Check `text`, the content of the file `name` (`NAME.container`), with Podman's generator.

    Returns the generated service. Raises EngineError `quadlet-refused` with the generator's reason, or
    `quadlet-missing` if there is no generator.
    """
    generator = _generator(processes)
    if generator is None:
        raise EngineError(
            "quadlet-missing",
            "Podman's systemd generator (quadlet) is not installed",
            hint="Install Podman 4.9 or later from the packages of the distribution.",
        )
    files.make_directories(paths.QUADLET_DRAFTS, 0o755)
    try:
        files.write(f"{paths.QUADLET_DRAFTS}/{name}", text.encode())
        directory = str(files.locate(paths.QUADLET_DRAFTS))
        done = processes.run(
            [generator, "-dryrun", "-no-kmsg-log", *(["-user"] if paths.ROOTLESS else [])],
            timeout=180,
            check=False,
            environment={"QUADLET_UNIT_DIRS": directory},
        )
    finally:
        discard(files, name)
    # Older generators exit with 0 even if they rejected a file, so the service itself is checked.
    marker = f"---{PurePosixPath(name).stem}.service---"
    if done.code != 0 or marker not in done.output:
        raise EngineError(
            "quadlet-refused",
            "Podman rejects the unit file {name}: {reason}",
            hint="Podman is probably older than 4.9; update it.",
            name=name,
            reason=printable(done.error).strip().replace(directory, ""),
        )
    return done.output.partition(marker)[2].lstrip("\n")


def discard(files: Files, name: str) -> None:
    """Remove the draft that `check` writes for the generator, even after an interrupted check."""
    if files.state(paths.QUADLET_DRAFTS) is not None:
        files.remove(f"{paths.QUADLET_DRAFTS}/{name}")
        files.remove_directory(paths.QUADLET_DRAFTS)
