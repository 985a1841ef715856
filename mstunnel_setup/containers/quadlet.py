"""Quadlet files (podman-systemd.unit(5)): a container as a systemd service, rendered and proved.

Podman 4.9 is the oldest that takes every key used here; where a key is newer, `PodmanArgs` stands in.
Readiness is not tied to health (`Notify=healthy`): systemd would block, then kill a container that is slow to
become healthy and `--rm` would take its log; the launch waits for health itself and explains.
"""

import json
from pathlib import PurePosixPath

from packaging.version import Version

from mstunnel_setup import paths, rendering
from mstunnel_setup.containers.engine import clean
from mstunnel_setup.containers.errors import QUADLET_REFUSED
from mstunnel_setup.containers.spec import ContainerSpec
from mstunnel_setup.containers.versions import release
from mstunnel_setup.errors import EngineError
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
    command = json.dumps(spec.health.command) if spec.health else ""
    return rendering.render(
        "quadlet/mstunnel.container", spec=spec, rootless=rootless, health_command=command
    )


def available(processes: Processes, version: str) -> bool:
    """Whether the generator of this host, of Podman `version`, knows every key that is used here."""
    known = release(version)
    return _generator(processes) is not None and (known is None or known >= _OLDEST)


def _generator(processes: Processes) -> str | None:
    return next(filter(processes.find, _GENERATORS), None)


def check(files: Files, processes: Processes, name: str, text: str) -> str:
    """Let Podman's own generator judge `text`, the content of the file `name` (`NAME.container`).

    Returns the service it would generate. Raises EngineError `quadlet-refused` with the generator's reason,
    or `engine-missing` when there is no generator.
    """
    generator = _generator(processes)
    if generator is None:
        raise EngineError(
            "engine-missing",
            "Podman's systemd generator (quadlet) is not installed",
            "Install Podman 4.9 or newer from the distribution's packages.",
        )
    files.make_directories(paths.QUADLET_DRAFTS, 0o755)
    try:
        files.write(f"{paths.QUADLET_DRAFTS}/{name}", text.encode())
        return _judge(processes, generator, str(files.locate(paths.QUADLET_DRAFTS)), name)
    finally:
        discard(files, name)


def discard(files: Files, name: str) -> None:
    """Remove what `check` puts down for the generator; a run that was killed in it leaves that behind."""
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
    # Older generators end with 0 although they refused a file: only the service itself is proof.
    marker = f"---{PurePosixPath(name).stem}.service---"
    if done.code != 0 or marker not in done.output:
        reason = clean(done.error).replace(folder, "")
        raise QUADLET_REFUSED(name=name, reason=reason)
    return done.output.partition(marker)[2].lstrip("\n")
