"""Docker: its SDK for queries, images and life cycle, and its command line as with Podman.

The command line creates containers, so that they get the same options as in a unit file, and runs programs
in them (the SDK has no timeout there).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any

from typing_extensions import override

from mstunnel_setup.containers.archive import Loadable, Upload, for_docker, loadable
from mstunnel_setup.containers.command_line import CommandEngine, CommandLine, once_arguments, once_name
from mstunnel_setup.containers.engine import ContainerState, Finished, Image, Progress, engine_time, state_of
from mstunnel_setup.containers.errors import (
    ENGINE_FAILED,
    IMAGE_LOAD_FAILED,
    IMAGE_MISSING,
    IMAGE_REMOVE_FAILED,
    IMAGE_TAG_FAILED,
)
from mstunnel_setup.containers.pull import Pull, fetched, pull_failure
from mstunnel_setup.containers.run_arguments import create_arguments
from mstunnel_setup.containers.spec import DIGEST_LABEL, ContainerSpec, Volume, digest_tag, split_reference
from mstunnel_setup.errors import Declared, EngineError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.process import Processes
from mstunnel_setup.text import printable

# A call that takes longer than stopping a container (90 s at most) has hung.
_CALL_TIMEOUT = 600.0
_LOAD_TIMEOUT = 3600.0
_CREATE_TIMEOUT = 600.0
_PROBE_TIMEOUT = 120.0
_SHELL = "CMD-SHELL"


class DockerEngine(CommandEngine):
    """A `ContainerEngine`. `client` is a Docker SDK `APIClient`, `command` how its command line is called."""

    def __init__(self, client: Any, processes: Processes, clock: Clock, command: tuple[str, ...]) -> None:
        super().__init__(CommandLine(processes, command))
        self._client = client
        self._clock = clock

    def version(self) -> str:
        """The version of the daemon."""
        with _explained(ENGINE_FAILED, operation="read the version of Docker"):
            return str(self._client.version()["Version"])

    def image(self, reference: str) -> Image | None:
        """The image here that runs as `reference`: fetched by digest, or loaded and named after it."""
        _, digest = split_reference(reference)
        for name in (reference, digest_tag(reference)):
            found = self._inspected(name)
            if found is not None:
                return Image(name, digest, str(found["Id"]), engine_time(str(found.get("Created", ""))))
        return None

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        """Fetch an image by digest within `deadline` seconds in all."""
        name, digest = split_reference(reference)
        until = self._clock.monotonic() + deadline
        try:
            response = self._request(
                "POST",
                "/images/create",
                deadline,
                params={"fromImage": name, "tag": digest},
                headers=self._credentials(name),
                stream=True,
            )
            with closing(response):
                Pull(reference, self._clock, until, progress, "docker").follow(response)
        except OSError as error:
            raise pull_failure(reference, str(error.__cause__ or error), "docker") from error
        return fetched(self.image(reference), reference)

    def load(self, archive: str, progress: Progress) -> tuple[Image, ...]:
        """Load an archive in OCI format; the digest of each image is verified first."""
        images = loadable(archive)
        upload = Upload(archive, progress)
        with _explained(IMAGE_LOAD_FAILED, archive=archive):
            response = self._request(
                "POST",
                "/images/load",
                _LOAD_TIMEOUT,
                params={"quiet": True},
                data=upload.counted(for_docker(archive, images)),
                headers={"Content-Type": "application/x-tar"},
            )
            response.raise_for_status()
            upload.end()
            return tuple(self._loaded(archive, image, response.text) for image in images)

    def tag(self, image: str, name: str) -> None:
        """Give an image one more name."""
        repository, _, tag = name.rpartition(":")
        with _explained(IMAGE_TAG_FAILED, image=image, name=name):
            self._client.tag(image, repository, tag)

    def remove_image(self, reference: str) -> bool:
        """Remove an image by one of its names."""
        with _explained(IMAGE_REMOVE_FAILED, image=reference):
            return self._delete(f"/images/{reference}") != HTTPStatus.CONFLICT

    def create(self, spec: ContainerSpec) -> None:
        """Make a container with restart policy `always`."""
        if self.image(spec.image) is None:
            # Docker would go and fetch it.
            raise IMAGE_MISSING(image=spec.image)
        self._command.run(create_arguments(spec, "docker"), _CREATE_TIMEOUT)

    def remove(self, name: str) -> None:
        """Stop and remove a container."""
        with _explained(ENGINE_FAILED, operation=f"remove the container {name}"):
            self._delete(f"/containers/{name}", force=True, v=True)

    def inspect(self, name: str) -> ContainerState | None:
        """The state of a container."""
        with _explained(ENGINE_FAILED, operation=f"inspect the container {name}"):
            found = self._get(f"/containers/{name}/json")
        return None if found is None else container_state(found)

    def probe(self, name: str) -> bool:
        """Run the health check of a running container now, before Docker does."""
        with _explained(ENGINE_FAILED, operation=f"check the health of the container {name}"):
            found = self._get(f"/containers/{name}/json")
        test = ((found or {}).get("Config", {}).get("Healthcheck") or {}).get("Test") or [""]
        command = ("sh", "-c", *test[1:]) if test[0] == _SHELL else tuple(test[1:])
        return bool(command) and self.execute(name, command, _PROBE_TIMEOUT).code == 0

    def run_once(
        self, image: str, arguments: Sequence[str], volumes: Sequence[Volume], timeout: float
    ) -> Finished:
        """Run a program of an image in a separate container without network."""
        name, found = once_name(), self.image(image)
        if found is None:
            raise IMAGE_MISSING(image=image)
        try:
            return self._command.finish(once_arguments(name, found.name, arguments, volumes), timeout)
        except EngineError:
            self.remove(name)
            raise

    def _request(self, method: str, path: str, timeout: float = _CALL_TIMEOUT, **more: Any) -> Any:
        address = f"{self._client.base_url}/v{self._client.api_version}{path}"
        return self._client.request(method, address, timeout=timeout, **more)

    def _get(self, path: str) -> Mapping[str, Any] | None:
        response = self._request("GET", path)
        if response.status_code == HTTPStatus.NOT_FOUND:
            return None
        response.raise_for_status()
        found: Mapping[str, Any] = response.json()
        return found

    def _delete(self, path: str, **parameters: Any) -> int:
        """The status; what is missing or in use is an answer, anything else raises OSError."""
        response = self._request("DELETE", path, params=parameters)
        if response.status_code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            response.raise_for_status()
        return int(response.status_code)

    @override
    def _switch(self, name: str, verb: str) -> None:
        with _explained(ENGINE_FAILED, operation=f"{verb} the container {name}"):
            # 304: the container is already in that state.
            self._request("POST", f"/containers/{name}/{verb}").raise_for_status()

    def _credentials(self, name: str) -> Mapping[str, str]:
        """The credentials of `docker login` for the registry of an image."""
        from docker.auth import get_config_header  # noqa: PLC0415 (takes 120 ms)

        header = get_config_header(self._client, name.partition("/")[0])
        return {"X-Registry-Auth": header.decode()} if header else {}

    def _inspected(self, name: str) -> Mapping[str, Any] | None:
        with _explained(ENGINE_FAILED, operation=f"inspect the image {name}"):
            found: Mapping[str, Any] | None = self._get(f"/images/{name}/json")
        return found

    def _loaded(self, archive: str, image: Loadable, report: str) -> Image:
        # Docker's newer image store names images by the digest of the manifest.
        for name in (image.id, image.digest):
            if self._inspected(name) is not None:
                return Image(image.name, image.digest, name)
        raise IMAGE_LOAD_FAILED(archive=archive, reason=printable(report).strip())


def container_state(inspected: Mapping[str, Any]) -> ContainerState:
    """The state in the answer of Docker's `inspect`."""
    asked = str(inspected["Config"].get("Image", "")).partition("@")[2]
    labelled = (inspected["Config"].get("Labels") or {}).get(DIGEST_LABEL)
    return state_of(inspected, labelled or asked)


@contextmanager
def _explained(declared: Declared[EngineError], **values: object) -> Iterator[None]:
    """Raise `declared` for errors of the SDK; most are those of requests, which are OSErrors."""
    from docker.errors import DockerException  # noqa: PLC0415 (takes 120 ms)

    try:
        yield
    except (OSError, DockerException) as error:
        raise declared(reason=printable(_reason(error)).strip(), **values) from error


def _reason(error: Exception) -> str:
    """Docker's error text, or that of the connection."""
    response: Any = getattr(error, "response", None)
    if response is not None and response.text:
        return str(response.text)
    return str(error.__cause__ or error)
