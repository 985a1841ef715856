"""Podman: podman-py for queries and life cycle, and its command line for what the library lacks.

The command line creates containers (podman-py 5.8 supports neither environment files nor tmpfs, and the
options match those of the Quadlet file) and runs programs in them (podman-py has no timeout there).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from http import HTTPStatus
from typing import Any

from typing_extensions import override

from mstunnel_setup.containers.archive import Upload, for_podman
from mstunnel_setup.containers.command_line import CommandEngine, CommandLine, once_arguments, once_name
from mstunnel_setup.containers.engine import ContainerState, Finished, Image, Progress, engine_time, state_of
from mstunnel_setup.containers.errors import (
    ENGINE_FAILED,
    IMAGE_LOAD_FAILED,
    IMAGE_REMOVE_FAILED,
    IMAGE_TAG_FAILED,
)
from mstunnel_setup.containers.pull import Pull, fetched, pull_failure
from mstunnel_setup.containers.run_arguments import create_arguments
from mstunnel_setup.containers.spec import ContainerSpec, Volume, split_reference
from mstunnel_setup.errors import Declared, EngineError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.process import Processes
from mstunnel_setup.text import printable

_LOAD_TIMEOUT = 3600
_CREATE_TIMEOUT = 600.0
# libpod's error when systemd replaces a container between the look-up of its name and that of its id.
_GONE = "no container with id"
_MOST_REPLACED = 20
_REPLACED_PAUSE = 0.5
# libpod waits five seconds for a killed process and five more for conmon to record its exit:
# not enough on a busy machine. Both errors contain this text.
_DYING = "could not be stopped"
_REMOVE_PATIENCE = 300.0
_REMOVE_PAUSE = 1.0


class PodmanEngine(CommandEngine):
    """A `ContainerEngine`. `client` is a podman-py client, `command` how its command line is called."""

    def __init__(self, client: Any, processes: Processes, clock: Clock, command: tuple[str, ...]) -> None:
        super().__init__(CommandLine(processes, command))
        self._client = client
        self._clock = clock

    def version(self) -> str:
        """The version of Podman."""
        with _explained(ENGINE_FAILED, operation="read the version of Podman"):
            return str(self._client.version()["Version"])

    def image(self, reference: str) -> Image | None:
        """The image on this host that runs as `reference`."""
        _, digest = split_reference(reference)
        found = self._image(reference)
        return found if found is not None and found.digest == digest else None

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        """Fetch an image by digest within `deadline` seconds in all."""
        split_reference(reference)
        until = self._clock.monotonic() + deadline
        parameters = {"reference": reference, "policy": "missing", "compatMode": True}
        try:
            response = self._client.api.post("/images/pull", params=parameters, stream=True, timeout=deadline)
            with closing(response):
                Pull(reference, self._clock, until, progress).follow(response)
        except OSError as error:
            raise pull_failure(reference, _reason(error)) from error
        return fetched(self.image(reference), reference)

    def load(self, archive: str, progress: Progress) -> tuple[Image, ...]:
        """Load every image of an archive."""
        with _explained(IMAGE_LOAD_FAILED, archive=archive):
            upload = Upload(archive, progress)
            loaded = [self._load(upload.counted(content)) for content in for_podman(archive)]
        upload.end()
        return tuple(image for images in loaded for image in images)

    def _load(self, archive: Iterator[bytes]) -> list[Image]:
        """Load what is streamed; `load` of podman-py reads all of it into memory."""
        response = self._client.api.post(
            "/images/load",
            data=archive,
            headers={"Content-type": "application/x-tar"},
            timeout=_LOAD_TIMEOUT,
        )
        response.raise_for_status()
        images = [self._image(str(name)) for name in response.json()["Names"]]
        return [image for image in images if image is not None]

    def tag(self, image: str, name: str) -> None:
        """Give an image one more name."""
        repository, _, tag = name.rpartition(":")
        with _explained(IMAGE_TAG_FAILED, image=image, name=name):
            self._client.images.get(image).tag(repository, tag)

    def remove_image(self, reference: str) -> bool:
        """Remove an image by one of its names."""
        with _explained(IMAGE_REMOVE_FAILED, image=reference):
            response = self._client.api.delete(f"/images/{reference}")
            if response.status_code == HTTPStatus.CONFLICT:
                return False
            if not _missing(response):
                response.raise_for_status()
        return True

    def create(self, spec: ContainerSpec) -> None:
        """Make a container with restart policy `always`."""
        self._command.run(create_arguments(spec), _CREATE_TIMEOUT)

    @override
    def _switch(self, name: str, verb: str) -> None:
        with _explained(ENGINE_FAILED, operation=f"{verb} the container {name}"):
            getattr(self._client.containers.get(name), verb)()

    def remove(self, name: str) -> None:
        """Stop and remove a container; retried while its process has not ended."""
        until = self._clock.monotonic() + _REMOVE_PATIENCE
        while True:
            try:
                return self._remove(name)
            except EngineError as error:
                if _DYING not in error.message or self._clock.monotonic() >= until:
                    raise
            self._clock.sleep(_REMOVE_PAUSE)

    def inspect(self, name: str) -> ContainerState | None:
        """The state of a container; retried when systemd replaces it meanwhile."""
        with _explained(ENGINE_FAILED, operation=f"inspect the container {name}"):
            response = self._client.api.get(f"/containers/{name}/json")
            tries = 1
            while _replaced(response) and tries < _MOST_REPLACED:
                self._clock.sleep(_REPLACED_PAUSE)
                response = self._client.api.get(f"/containers/{name}/json")
                tries += 1
            if _missing(response) or _replaced(response):
                return None
            response.raise_for_status()
            return container_state(response.json())

    def probe(self, name: str) -> bool:
        """Run the health check of a running container now."""
        with _explained(ENGINE_FAILED, operation=f"check the health of the container {name}"):
            response = self._client.api.get(f"/containers/{name}/healthcheck")
            return bool(response.ok) and response.json().get("Status") == "healthy"

    def run_once(
        self, image: str, arguments: Sequence[str], volumes: Sequence[Volume], timeout: float
    ) -> Finished:
        """Run a program of an image in a separate container without network."""
        name = once_name()
        # Podman ends the container if we are killed.
        options = ("--pull=never", f"--timeout={int(timeout) + 5}")
        command = once_arguments(name, image, arguments, volumes, *options)
        try:
            return self._command.finish(command, timeout)
        except EngineError:
            self.remove(name)
            raise

    def _remove(self, name: str) -> None:
        with _explained(ENGINE_FAILED, operation=f"remove the container {name}"):
            response = self._client.api.delete(f"/containers/{name}", params={"force": True, "v": True})
            if not _missing(response):
                response.raise_for_status()

    def _image(self, name: str) -> Image | None:
        with _explained(ENGINE_FAILED, operation=f"inspect the image {name}"):
            response = self._client.api.get(f"/images/{name}/json")
            if _missing(response):
                return None
            response.raise_for_status()
            return image_from(name, response.json())


def container_state(inspected: Mapping[str, Any]) -> ContainerState:
    """The state in the answer of Podman's `inspect`."""
    # The requested digest: `ImageDigest` differs when the reference names a multi-platform index.
    requested = str(inspected.get("ImageName", "")).partition("@")[2]
    return state_of(inspected, requested or str(inspected.get("ImageDigest", "")))


def image_from(name: str, inspected: Mapping[str, Any]) -> Image:
    """The image in the answer of Podman's image `inspect`, referenced as `name`.

    An image has several digests when its reference names a multi-platform index; the requested one is used.
    """
    wanted = name.partition("@")[2]
    known = {str(reference).partition("@")[2] for reference in inspected.get("RepoDigests") or ()}
    digest = wanted if wanted and wanted in known else str(inspected.get("Digest", ""))
    return Image(name, digest, str(inspected["Id"]), engine_time(str(inspected.get("Created", ""))))


def _replaced(response: Any) -> bool:
    """Whether a container was found by name, but its id is gone."""
    return not response.ok and _GONE in str(response.text).lower()


def _missing(response: Any) -> bool:
    return bool(response.status_code == HTTPStatus.NOT_FOUND)


@contextmanager
def _explained(declared: Declared[EngineError], **values: object) -> Iterator[None]:
    """Raise `declared` for errors of podman-py, which are OSErrors, as those of requests."""
    try:
        yield
    except OSError as error:
        raise declared(reason=printable(_reason(error)).strip(), **values) from error


def _reason(error: OSError) -> str:
    """Podman's error text, or that of the connection."""
    if getattr(error, "response", None) is not None:
        return str(getattr(error, "explanation", error))
    return str(error.__cause__ or error)
