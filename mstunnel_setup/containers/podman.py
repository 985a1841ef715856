"""Podman as a container engine, through podman-py, with a temporary service if none runs."""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from http import HTTPStatus
from typing import Any, ClassVar

from podman import PodmanClient
from podman.errors import APIError, ImageNotFound, NotFound, PodmanError
from typing_extensions import override

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers import archive as archives
from mstunnel_setup.containers.container_spec import ContainerSpec, split_reference
from mstunnel_setup.containers.engine import (
    ENGINE_FAILED,
    ENGINE_MISSING,
    ENGINE_NOT_RUNNING,
    IMAGE_REMOVE_FAILED,
    LOAD_SECONDS,
    ContainerEngine,
    ContainerState,
    Image,
    engine_time,
    state_of,
)
from mstunnel_setup.containers.engine_options import EngineName, create_arguments
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http import READ_FAILURES
from mstunnel_setup.io.process import Processes

# A call that takes longer than stopping a container (90 s at most) has hung.
_CALL_TIMEOUT = 600.0


class PodmanEngine(ContainerEngine):
    """A `ContainerEngine`; `version` is that of the Podman whose service is at `address`."""

    name: ClassVar[EngineName] = "podman"
    failures = (*READ_FAILURES, PodmanError)

    def __init__(
        self, address: str, processes: Processes, clock: Clock, command: tuple[str, ...], version: str
    ) -> None:
        super().__init__(processes, clock, command)
        self._address = address
        self._client = _client(address, _CALL_TIMEOUT)
        self._version = version

    def close(self) -> None:
        """Close the connections to the service."""
        self._client.close()  # type: ignore[no-untyped-call]

    @override
    def version(self) -> str:
        return self._version

    @override
    def image(self, reference: str) -> Image | None:
        _, digest = split_reference(reference)
        found = self._image(reference)
        return found if found is not None and found.digest == digest else None

    @override
    def remove_image(self, reference: str) -> bool:
        with self._explained(IMAGE_REMOVE_FAILED, image=reference):
            try:
                self._client.images.remove(reference)
            except ImageNotFound:
                return True
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
                return False
        return True

    @override
    def repair_images(self) -> None:
        """Check the store, if this Podman can (5.2); remove orphaned layers older than this boot.

        Newer ones may belong to another pull that is running. The service has no API for this.
        """
        uptime = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        check = ("system", "check", "--quick", "--repair", f"--max={uptime}s")
        self._run(check, LOAD_SECONDS, accept_failure=True)

    @override
    def create(self, spec: ContainerSpec) -> None:
        self._run(create_arguments(spec), _CALL_TIMEOUT)

    @override
    def start(self, name: str) -> None:
        with self._explained(ENGINE_FAILED, operation=f"start the container {name}"):
            self._client.containers.get(name).start()

    @override
    def stop(self, name: str) -> None:
        with self._explained(ENGINE_FAILED, operation=f"stop the container {name}"):
            # A container that has already stopped is no error.
            self._client.containers.get(name).stop(ignore=True)

    @override
    def restart(self, name: str) -> None:
        with self._explained(ENGINE_FAILED, operation=f"restart the container {name}"):
            self._client.containers.get(name).restart()

    @override
    def remove(self, name: str) -> None:
        """Stop and remove a container; retry while its process has not ended."""
        until = self._clock.monotonic() + 300.0
        with self._explained(ENGINE_FAILED, operation=f"remove the container {name}"):
            while True:
                try:
                    self._client.containers.remove(name, force=True, v=True)
                except NotFound:
                    return
                except APIError as error:
                    # libpod waits five seconds for a killed process and five more for conmon to record its
                    # exit: not enough on a busy machine. Both errors contain this text.
                    if "could not be stopped" not in str(error) or self._clock.monotonic() >= until:
                        raise
                else:
                    return
                self._clock.sleep(1.0)

    @override
    def inspect(self, name: str) -> ContainerState | None:
        """Return the state of a container; retry if systemd replaces it meanwhile."""
        with self._explained(ENGINE_FAILED, operation=f"inspect the container {name}"):
            for _ in range(20):
                try:
                    return container_state(self._client.containers.get(name).attrs)
                except NotFound:
                    return None
                except APIError as error:
                    # systemd replaced the container between the look-ups by name and by id.
                    if "no container with id" not in str(error).lower():
                        raise
                self._clock.sleep(0.5)
        return None

    @override
    def probe(self, name: str) -> bool:
        with self._explained(ENGINE_FAILED, operation=f"check the health of the container {name}"):
            # podman-py has no method for this API.
            answer = self._client.api.get(f"/containers/{name}/healthcheck")
            found = answer.json() if answer.ok else {}
            # The container stays healthy until its check has failed often enough.
            return bool(found.get("Status") == "healthy" and not found.get("FailingStreak"))

    @override
    def _image_to_run(self, image: str, timeout: float) -> tuple[str, Sequence[str]]:
        # Podman ends the container if this process is killed.
        return image, ("--pull=never", f"--timeout={int(timeout) + 5}")

    @override
    def _pull_reports(self, reference: str, seconds: float) -> Iterable[object]:
        name, digest = split_reference(reference)
        algorithm, _, number = digest.partition(":")
        # podman-py joins name and tag with a colon. By default it would pull existing images again and demand
        # TLS of a registry that registries.conf(5) exempts.
        with _client(self._address, seconds) as client:
            reports: Any = client.images.pull(
                f"{name}@{algorithm}", number, policy="missing", tls_verify=None, stream=True, decode=True
            )
            yield from reports

    @override
    def _send(self, content: Iterator[bytes]) -> str:
        with _client(self._address, LOAD_SECONDS) as client:
            # The content is sent as it is read; the result need not be read.
            client.images.load(content)  # type: ignore[arg-type]
        return "Podman reported success, but the image has another digest"

    @override
    def _loaded(self, image: archives.LoadableImage, name: str) -> Image | None:
        found = self._image(name)
        return found if found is not None and found.digest == image.digest else None

    def _image(self, name: str) -> Image | None:
        with self._explained(ENGINE_FAILED, operation=f"inspect the image {name}"):
            try:
                return image_from(name, self._client.images.get(name).attrs)
            except ImageNotFound:
                return None
            except APIError as error:
                # A power failure may leave a layer without the name of the one below it.
                if re.search(r"readlink \S+/overlay: invalid argument", str(error)):
                    return None
                raise


def container_state(inspected: Mapping[str, Any]) -> ContainerState:
    """Return the state in a response of Podman's `inspect`."""
    # The requested digest: `ImageDigest` differs if the reference names a multi-platform index.
    requested = str(inspected.get("ImageName", "")).partition("@")[2]
    return state_of(inspected, requested or str(inspected.get("ImageDigest", "")))


def image_from(name: str, inspected: Mapping[str, Any]) -> Image:
    """Return the image in a response of Podman's image `inspect`, referenced as `name`.

    An image has several digests if its reference names a multi-platform index; the requested one is used.
    """
    wanted = name.partition("@")[2]
    known = {str(reference).partition("@")[2] for reference in inspected.get("RepoDigests") or ()}
    digest = wanted if wanted and wanted in known else str(inspected.get("Digest", ""))
    return Image(name, digest, str(inspected["Id"]), engine_time(str(inspected.get("Created", ""))))


@contextmanager
def podman_engine(
    files: Files, processes: Processes, clock: Clock, environment: Mapping[str, str] = os.environ
) -> Iterator[PodmanEngine]:
    """Open Podman for a `with` block.

    The service is the one in `CONTAINER_HOST`, or else the running one of root or of the account, or else one
    started for this block. Raises EngineError `engine-missing`, `engine-not-running`, `engine-not-started` or
    `engine-address-invalid`.
    """
    chosen = environment.get("CONTAINER_HOST")
    address = chosen or f"unix://{paths.PODMAN_SOCKET}"
    command = ("podman", "--url", chosen) if chosen else ("podman",)
    with ExitStack() as stack:
        version = _version(address)
        if version is None and not chosen:
            address, version = stack.enter_context(_own_service(files, processes, clock))
        if version is None:
            raise ENGINE_NOT_RUNNING(
                engine="Podman", address=address, unit="podman.socket", variable="CONTAINER_HOST"
            )
        with closing(PodmanEngine(address, processes, clock, command, version)) as engine:
            yield engine


@contextmanager
def _own_service(files: Files, processes: Processes, clock: Clock) -> Iterator[tuple[str, str]]:
    """Start a service for this block; yield its address and version."""
    if processes.find("podman") is None:
        raise ENGINE_MISSING(engine="Podman")
    files.make_directories(paths.RUN, 0o755)
    path = f"{paths.RUN}/podman-{os.getpid()}.sock"
    address = f"unix://{files.locate(path)}"
    # The service exits after an hour without requests, in case this process is killed before it stops the
    # service.
    service = processes.start(["podman", "system", "service", "--time=3600", address])
    try:
        until = clock.monotonic() + 180.0
        while (version := _version(address)) is None:
            if service.poll() is not None or clock.monotonic() >= until:
                raise EngineError(
                    "engine-not-started",
                    "Podman is installed, but its service does not start",
                    hint="Run `podman info` to find the cause.",
                )
            clock.sleep(0.1)
        yield address, version
    finally:
        service.terminate()
        until = clock.monotonic() + 60.0
        while service.poll() is None and clock.monotonic() < until:
            clock.sleep(0.05)
        if service.poll() is None:
            service.kill()
        service.wait()
        files.remove(path)
        files.remove_directory(paths.RUN)


def _version(address: str) -> str | None:
    """Return the version of the Podman that responds at `address`; None if none does.

    Every response names it (Podman: version/version.go). `version()` takes a third of a second, because
    Podman then asks the package manager for the package of each of its programs.
    """
    with _client(address, 60.0) as client:
        try:
            answer = client.api.get("/_ping")
        except APIError:
            return None
        return str(answer.headers.get("Libpod-API-Version", "")) if answer.ok else None


def _client(address: str, timeout: float) -> PodmanClient:
    """Return a client of the service at `address`; `timeout` limits seconds between pieces of a response.

    Both are always given: podman-py has no default time limit, and looks for a socket below the temporary
    directory.
    """
    if not address.startswith(("unix:///", "tcp://")):
        raise EngineError(
            "engine-address-invalid",
            "{address} is not the address of a Podman service",
            hint="Set CONTAINER_HOST to unix:///path or tcp://host:port.",
            address=address,
        )
    # Every Podman from 4.0 on supports this API version.
    client = PodmanClient(base_url=address, version="4.0.0", timeout=timeout)
    # The proxies of the environment are for the internet.
    client.api.trust_env = False
    return client
