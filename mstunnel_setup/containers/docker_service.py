"""Which Docker daemon to talk to, and whether it is one that can run the gateway."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from mstunnel_setup.containers.docker import DockerEngine
from mstunnel_setup.containers.errors import ENGINE_UNFIT
from mstunnel_setup.containers.sockets import listens
from mstunnel_setup.errors import EngineError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.process import Processes

_SYSTEM_SOCKET = "unix:///run/docker.sock"
_FIRST_TIMEOUT = 120
# The question for the version is the same in all of them.
_ANY_VERSION = "1.44"
# dockerd(8): what `info` says of a daemon that maps users, or that runs without root.
_REMAPPED = "name=userns"
_ROOTLESS = "name=rootless"


@contextmanager
def docker_engine(
    processes: Processes,
    clock: Clock,
    environment: Mapping[str, str] = os.environ,
    *,
    strict: bool = True,
) -> Iterator[DockerEngine]:
    """Docker for the duration of a `with` block: the daemon in `DOCKER_HOST`, else the one of the system.

    Raises EngineError `engine-missing`, `engine-not-running`, or, when `strict`, `engine-unfit` with the
    reason.
    """
    if processes.find("docker") is None:
        raise EngineError(
            "engine-missing", "Docker is not installed", "Install Docker CE, or Podman, and run it again."
        )
    address = environment.get("DOCKER_HOST") or _SYSTEM_SOCKET
    _refuse_remote(address)
    client = _client(address, _api_version(address))
    with closing(client):
        if strict:
            _refuse_unfit(address, client)
        command = ("docker",) if address == _SYSTEM_SOCKET else ("docker", "--host", address)
        yield DockerEngine(client, processes, clock, command)


def _api_version(address: str) -> str:
    """The newest version of the interface that the daemon speaks."""
    if listens(address, _FIRST_TIMEOUT):
        with closing(_client(address, _ANY_VERSION)) as client:
            try:
                return str(client.version(api_version=False)["ApiVersion"])
            except OSError:
                pass
    raise EngineError(
        "engine-not-running",
        f"no Docker daemon answers at {address}",
        "Start it: `systemctl start docker`; without systemd, `dockerd` by the host's own init.",
    )


def _client(address: str, version: str) -> Any:
    from docker import APIClient  # noqa: PLC0415 (takes 120 ms)

    return APIClient(base_url=address, version=version, timeout=_FIRST_TIMEOUT)


def _refuse_remote(address: str) -> None:
    if not address.startswith("unix://"):
        raise ENGINE_UNFIT(address=address)


def _refuse_unfit(address: str, client: Any) -> None:
    try:
        about, info = client.version(), client.info()
    except OSError as error:
        raise EngineError(
            "engine-not-running",
            f"the Docker daemon at {address} does not say what it is",
            "Look at `journalctl --unit docker`.",
        ) from error
    names = {str(part.get("Name")) for part in about.get("Components") or ()}
    if "Podman Engine" in names:
        raise _unfit("it is Podman's stand-in (package podman-docker)", "Choose engine: podman.")
    options = {option for text in info.get("SecurityOptions") or () for option in str(text).split(",")}
    if _ROOTLESS in options:
        raise _unfit("it runs without root", "Use rootful Docker, or rootless Podman (mode: rootless).")
    if _REMAPPED in options:
        raise _unfit(
            "it maps users (userns-remap), so the containers cannot read /etc/mstunnel/private",
            "Remove userns-remap from /etc/docker/daemon.json and restart Docker, or use Podman.",
        )


def _unfit(why: str, hint: str) -> EngineError:
    return EngineError("engine-unfit", f"this Docker cannot run the gateway: {why}", hint)
