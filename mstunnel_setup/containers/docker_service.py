"""The Docker daemon to use, and whether it can run the gateway."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any

from mstunnel_setup.containers.docker import DockerEngine
from mstunnel_setup.containers.errors import ENGINE_MISSING, ENGINE_NOT_RUNNING, ENGINE_UNFIT
from mstunnel_setup.containers.sockets import listens
from mstunnel_setup.errors import EngineError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.process import Processes

_SYSTEM_SOCKET = "unix:///run/docker.sock"
_FIRST_TIMEOUT = 120
# The version query is the same in all API versions.
_ANY_VERSION = "1.44"
# dockerd(8): security options in `info` of a daemon with userns-remap, or without root.
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
    """Docker for the duration of a `with` block: the daemon in `DOCKER_HOST`, else the system's.

    Raises EngineError `engine-missing`, `engine-not-running`, or, when `strict`, `engine-unfit` with the
    reason.
    """
    if processes.find("docker") is None:
        raise ENGINE_MISSING(engine="Docker")
    address = environment.get("DOCKER_HOST") or _SYSTEM_SOCKET
    if not address.startswith("unix://"):
        raise ENGINE_UNFIT(reason=f"DOCKER_HOST is {address}, another machine")
    client = _client(address, _api_version(address))
    with closing(client):
        if strict:
            _refuse_unfit(address, client)
        command = ("docker",) if address == _SYSTEM_SOCKET else ("docker", "--host", address)
        yield DockerEngine(client, processes, clock, command)


def _api_version(address: str) -> str:
    """The newest API version that the daemon supports."""
    if listens(address, _FIRST_TIMEOUT):
        with closing(_client(address, _ANY_VERSION)) as client:
            try:
                return str(client.version(api_version=False)["ApiVersion"])
            except OSError:
                pass
    raise _not_running(address)


def _not_running(address: str) -> EngineError:
    return ENGINE_NOT_RUNNING(engine="Docker", address=address, unit="docker", variable="DOCKER_HOST")


def _client(address: str, version: str) -> Any:
    from docker import APIClient  # noqa: PLC0415 (takes 120 ms)

    return APIClient(base_url=address, version=version, timeout=_FIRST_TIMEOUT)


def _refuse_unfit(address: str, client: Any) -> None:
    try:
        about, info = client.version(), client.info()
    except OSError as error:
        raise _not_running(address) from error
    names = {str(part.get("Name")) for part in about.get("Components") or ()}
    if "Podman Engine" in names:
        raise ENGINE_UNFIT(reason="it is Podman's emulation (package podman-docker)")
    options = {option for text in info.get("SecurityOptions") or () for option in str(text).split(",")}
    if _ROOTLESS in options:
        raise ENGINE_UNFIT(reason="it runs without root")
    if _REMAPPED in options:
        raise ENGINE_UNFIT(reason="with userns-remap its containers cannot read /etc/mstunnel/private")
