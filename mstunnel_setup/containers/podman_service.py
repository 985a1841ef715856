"""The Podman service to use; a transient one when none runs."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Protocol

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.errors import (
    ENGINE_MISSING,
    ENGINE_NOT_RUNNING,
)
from mstunnel_setup.containers.podman import PodmanEngine
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http_service import HttpService
from mstunnel_setup.io.process import Processes

_STANDING_SOCKET = f"unix://{paths.PODMAN_SOCKET}"
# Every Podman from 4.0 on has this version of the interface.
_INTERFACE = "/v4.0.0/libpod"
_VERSION_HEADER = "libpod-api-version"
# A call that takes longer than stopping a container (90 s at most) has hung.
_CALL_TIMEOUT = 600
_PING_TIMEOUT = 60
_START_TIMEOUT = 180.0
_END_TIMEOUT = 60.0
# Idle seconds after which our own service ends, in case we are killed before stopping it.
_IDLE_SECONDS = 3600


class _Service(Protocol):
    """A background process."""

    def poll(self) -> int | None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...

    def wait(self) -> int: ...


@contextmanager
def podman_engine(
    files: Files, processes: Processes, clock: Clock, environment: Mapping[str, str] = os.environ
) -> Iterator[PodmanEngine]:
    """Podman for the duration of a `with` block.

    The service is the one in `CONTAINER_HOST`, else the running one of root or of the account, else one
    started for this block. Raises EngineError `engine-missing`, `engine-not-running`, `engine-not-started` or
    `engine-address-invalid`.
    """
    chosen = environment.get("CONTAINER_HOST")
    address = chosen or _STANDING_SOCKET
    command = ("podman", "--url", chosen) if chosen else ("podman",)
    with ExitStack() as stack:
        version = _version(address)
        if version is None and not chosen:
            address, version = stack.enter_context(_own_service(files, processes, clock))
        if version is None:
            raise ENGINE_NOT_RUNNING(
                engine="Podman", address=address, unit="podman.socket", variable="CONTAINER_HOST"
            )
        yield PodmanEngine(_service(address, _CALL_TIMEOUT), processes, clock, command, version)


@contextmanager
def _own_service(files: Files, processes: Processes, clock: Clock) -> Iterator[tuple[str, str]]:
    """The address of a service of ours, and its version."""
    if processes.find("podman") is None:
        raise ENGINE_MISSING(engine="Podman")
    files.make_directories(paths.RUN, 0o755)
    path = f"{paths.RUN}/podman-{os.getpid()}.sock"
    address = f"unix://{files.locate(path)}"
    service = processes.start(["podman", "system", "service", f"--time={_IDLE_SECONDS}", address])
    try:
        yield address, _version_once_it_answers(address, service, clock)
    finally:
        service.terminate()
        until = clock.monotonic() + _END_TIMEOUT
        while service.poll() is None and clock.monotonic() < until:
            clock.sleep(0.05)
        if service.poll() is None:
            service.kill()
        service.wait()
        files.remove(path)
        files.remove_directory(paths.RUN)


def _version_once_it_answers(address: str, service: _Service, clock: Clock) -> str:
    until = clock.monotonic() + _START_TIMEOUT
    while service.poll() is None and clock.monotonic() < until:
        if (version := _version(address)) is not None:
            return version
        clock.sleep(0.1)
    raise EngineError(
        "engine-not-started",
        "Podman is installed, but its service does not start",
        hint="Run `podman info` to find the cause.",
    )


def _version(address: str) -> str | None:
    """The version of the Podman that answers there; None when none does.

    Every answer names it (Podman: version/version.go). Asked for `/version`, Podman takes a fifth of a second
    longer: it has the package manager look for the package of each of its programs.
    """
    try:
        answer = _service(address, _PING_TIMEOUT).get("/_ping")
    except OSError:
        return None
    return answer.headers.get(_VERSION_HEADER, "") if answer.ok else None


def _service(address: str, timeout: float) -> HttpService:
    try:
        return HttpService(address, _INTERFACE, timeout)
    except ValueError as error:
        raise EngineError(
            "engine-address-invalid",
            "{address} is not the address of a Podman service",
            hint="Set CONTAINER_HOST to unix:///path or tcp://host:port.",
            address=address,
        ) from error
