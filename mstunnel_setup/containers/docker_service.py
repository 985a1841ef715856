"""The Docker daemon to use, and whether it can run the gateway."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.docker import DockerEngine
from mstunnel_setup.containers.errors import ENGINE_MISSING, ENGINE_NOT_RUNNING, ENGINE_UNFIT
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http_service import HttpService
from mstunnel_setup.io.process import Processes

_SYSTEM_SOCKET = "unix:///run/docker.sock"
_FIRST_TIMEOUT = 120
# A call that takes longer than stopping a container (90 s at most) has hung.
_CALL_TIMEOUT = 600
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
        raise ENGINE_UNFIT(reason=text("DOCKER_HOST is {address}, another machine", address=address))
    prefix = _interface(address)
    if strict:
        _refuse_unfit(address, HttpService(address, prefix, _FIRST_TIMEOUT))
    command = ("docker",) if address == _SYSTEM_SOCKET else ("docker", "--host", address)
    yield DockerEngine(HttpService(address, prefix, _CALL_TIMEOUT), processes, clock, command)


def _interface(address: str) -> str:
    """The newest version of the interface that the daemon has."""
    try:
        return f"/v{HttpService(address, '', _FIRST_TIMEOUT).get('/version').text('ApiVersion')}"
    except OSError as error:
        raise _not_running(address) from error


def _not_running(address: str) -> EngineError:
    return ENGINE_NOT_RUNNING(engine="Docker", address=address, unit="docker", variable="DOCKER_HOST")


def _refuse_unfit(address: str, service: HttpService) -> None:
    try:
        about, info = service.get("/version").json(), service.get("/info").json()
    except OSError as error:
        raise _not_running(address) from error
    names = {str(part.get("Name")) for part in about.get("Components") or ()}
    if "Podman Engine" in names:
        raise ENGINE_UNFIT(reason=text("it is Podman's emulation (package podman-docker)"))
    options = {option for content in info.get("SecurityOptions") or () for option in str(content).split(",")}
    if _ROOTLESS in options:
        raise ENGINE_UNFIT(reason=text("it runs without root"))
    if _REMAPPED in options:
        raise ENGINE_UNFIT(reason=text("with userns-remap its containers cannot read /etc/mstunnel/private"))
