"""Docker as a container engine, through its SDK, and the check of its daemon."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from http import HTTPStatus
from typing import Any, ClassVar, Literal

from docker import APIClient
from docker.errors import APIError, DockerException, NotFound
from typing_extensions import override

from mstunnel_setup.base.errors import EngineError, declare
from mstunnel_setup.base.text import text
from mstunnel_setup.containers import archive as archives
from mstunnel_setup.containers.container_spec import DIGEST_LABEL, ContainerSpec, digest_tag, split_reference
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
from mstunnel_setup.io.http import READ_FAILURES
from mstunnel_setup.io.process import Processes

ENGINE_UNFIT = declare(
    EngineError,
    "engine-unfit",
    "this Docker cannot run the gateway: {reason}",
    "Use Docker CE on this host, running as root and without userns-remap, or use Podman "
    "(engine: podman; without root, mode: rootless).",
)
IMAGE_MISSING = declare(
    EngineError,
    "image-missing",
    "the image {image} is not on this host",
    "Run mstunnel-setup to pull or load it.",
)

_SYSTEM_SOCKET = "unix:///run/docker.sock"
_FIRST_TIMEOUT = 120
# A call that takes longer than stopping a container (90 s at most) has hung.
_CALL_TIMEOUT = 600


class DockerEngine(ContainerEngine):
    """A `ContainerEngine`; `client` is connected to the daemon at `address`."""

    name: ClassVar[EngineName] = "docker"
    failures = (*READ_FAILURES, DockerException)

    def __init__(
        self, client: APIClient, address: str, processes: Processes, clock: Clock, command: tuple[str, ...]
    ) -> None:
        super().__init__(processes, clock, command)
        self._client = client
        self._address = address

    @override
    def version(self) -> str:
        with self._explained(ENGINE_FAILED, operation="read the version of the container engine"):
            return str(self._client.version()["Version"])

    @override
    def image(self, reference: str) -> Image | None:
        """Return the local image for `reference`: pulled by digest, or loaded and tagged by `digest_tag`."""
        _, digest = split_reference(reference)
        for name in (reference, digest_tag(reference)):
            found = self._inspected("image", name)
            if found is not None:
                return Image(name, digest, str(found["Id"]), engine_time(str(found.get("Created", ""))))
        return None

    @override
    def remove_image(self, reference: str) -> bool:
        with self._explained(IMAGE_REMOVE_FAILED, image=reference):
            try:
                self._client.remove_image(reference)
            except NotFound:
                return True
            except APIError as error:
                if error.status_code != HTTPStatus.CONFLICT:
                    raise
                return False
        return True

    @override
    def repair_images(self) -> None:
        """Do nothing: Docker cannot check its store, but removing and pulling an image repairs it."""

    @override
    def create(self, spec: ContainerSpec) -> None:
        if self.image(spec.image) is None:
            # Docker would pull a missing image.
            raise IMAGE_MISSING(image=spec.image)
        self._run(create_arguments(spec, "docker"), _CALL_TIMEOUT)

    @override
    def start(self, name: str) -> None:
        with self._explained(ENGINE_FAILED, operation=f"start the container {name}"):
            self._client.start(name)

    @override
    def stop(self, name: str) -> None:
        with self._explained(ENGINE_FAILED, operation=f"stop the container {name}"):
            self._client.stop(name)

    @override
    def restart(self, name: str) -> None:
        with self._explained(ENGINE_FAILED, operation=f"restart the container {name}"):
            # The SDK would allow ten seconds, whatever the container was created with; ten is Docker's
            # default.
            seconds = self._client.inspect_container(name)["Config"].get("StopTimeout", 10)
            self._client.restart(name, seconds)

    @override
    def remove(self, name: str) -> None:
        with self._explained(ENGINE_FAILED, operation=f"remove the container {name}"):
            try:
                self._client.remove_container(name, v=True, force=True)
            except APIError as error:
                # 409: the container is already being removed.
                if error.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                    raise

    @override
    def inspect(self, name: str) -> ContainerState | None:
        found = self._inspected("container", name)
        return None if found is None else container_state(found)

    @override
    def probe(self, name: str) -> bool:
        """Run the health check of a running container now, before Docker does."""
        found = self._inspected("container", name) or {}
        test = (found.get("Config", {}).get("Healthcheck") or {}).get("Test") or [""]
        command = ("sh", "-c", *test[1:]) if test[0] == "CMD-SHELL" else tuple(test[1:])
        return bool(command) and self.execute(name, command, 120.0).code == 0

    @override
    def _image_to_run(self, image: str, timeout: float) -> tuple[str, Sequence[str]]:
        found = self.image(image)
        if found is None:
            raise IMAGE_MISSING(image=image)
        return found.name, ()

    @override
    def _pull_reports(self, reference: str, seconds: float) -> Iterable[object]:
        """Pull with the credentials of `docker login`; the SDK sets no time limit here."""
        name, digest = split_reference(reference)
        reports: Iterable[object] = self._client.pull(name, digest, stream=True, decode=True)
        return reports

    @override
    def _send(self, content: Iterator[bytes]) -> str:
        version = self._client.api_version
        with closing(APIClient(base_url=self._address, version=version, timeout=LOAD_SECONDS)) as client:
            reports = [dict(report) for report in client.load_image(content, quiet=True)]
        return " ".join(str(value) for report in reports for value in report.values())

    @override
    def _loaded(self, image: archives.LoadableImage, name: str) -> Image | None:
        found = self._inspected("image", name)
        # Docker's newer image store identifies images by the digest of the manifest.
        if found is None or found["Id"] not in (image.configuration, image.digest):
            return None
        return Image(name, image.digest, str(found["Id"]), engine_time(str(found.get("Created", ""))))

    def _inspected(self, kind: Literal["container", "image"], name: str) -> Mapping[str, Any] | None:
        inspect = self._client.inspect_image if kind == "image" else self._client.inspect_container
        with self._explained(ENGINE_FAILED, operation=f"inspect the {kind} {name}"), suppress(NotFound):
            found: Mapping[str, Any] = inspect(name)
            return found
        return None


def container_state(inspected: Mapping[str, Any]) -> ContainerState:
    """Return the state in a response of Docker's `inspect`."""
    asked = str(inspected["Config"].get("Image", "")).partition("@")[2]
    labelled = (inspected["Config"].get("Labels") or {}).get(DIGEST_LABEL)
    return state_of(inspected, labelled or asked)


@contextmanager
def docker_engine(
    processes: Processes, clock: Clock, environment: Mapping[str, str] = os.environ, *, strict: bool = True
) -> Iterator[DockerEngine]:
    """Open Docker for a `with` block: the daemon in `DOCKER_HOST`, or else the system's.

    Raises EngineError `engine-missing`, `engine-not-running`, or, with `strict`, `engine-unfit` with the
    reason.
    """
    if processes.find("docker") is None:
        raise ENGINE_MISSING(engine="Docker")
    address = environment.get("DOCKER_HOST") or _SYSTEM_SOCKET
    if not address.startswith("unix://"):
        raise ENGINE_UNFIT(reason=text("DOCKER_HOST is {address}, another machine", address=address))
    try:
        # The client negotiates the newest API version that both sides support.
        client = APIClient(base_url=address, timeout=_FIRST_TIMEOUT)
        reason = _unfit(client) if strict else ""
    except (OSError, DockerException) as error:
        raise ENGINE_NOT_RUNNING(
            engine="Docker", address=address, unit="docker", variable="DOCKER_HOST"
        ) from error
    with closing(client):
        if reason:
            raise ENGINE_UNFIT(reason=reason)
        client.timeout = _CALL_TIMEOUT
        command = ("docker",) if address == _SYSTEM_SOCKET else ("docker", "--host", address)
        yield DockerEngine(client, address, processes, clock, command)


def _unfit(client: APIClient) -> str:
    """Return why the daemon cannot run the gateway; empty if it can."""
    about, info = client.version(), client.info()
    if "Podman Engine" in {str(part.get("Name")) for part in about.get("Components") or ()}:
        return text("it is Podman's emulation (package podman-docker)")
    # dockerd(8): security options of a daemon without root, or with userns-remap.
    options = {option for listed in info.get("SecurityOptions") or () for option in str(listed).split(",")}
    if "name=rootless" in options:
        return text("it runs without root")
    if "name=userns" in options:
        return text("with userns-remap its containers cannot read /etc/mstunnel/private")
    return ""
