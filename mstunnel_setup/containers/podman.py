"""Podman: its HTTP interface for queries and life cycle, and its command line for the rest.

The command line creates containers (the options match those of the Quadlet file) and runs programs in them.
"""

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from typing_extensions import override

from mstunnel_setup.containers.api import Answer, EngineApi, explained, reason
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
from mstunnel_setup.errors import EngineError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.process import Processes

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
    """A `ContainerEngine`. `api` is that of libpod, `command` how its command line is called."""

    def __init__(self, api: EngineApi, processes: Processes, clock: Clock, command: tuple[str, ...]) -> None:
        super().__init__(CommandLine(processes, command))
        self._api = api
        self._clock = clock

    def version(self) -> str:
        """The version of Podman."""
        with explained(ENGINE_FAILED, operation="read the version of Podman"):
            return str(self._api.call("GET", "/version").required().json()["Version"])

    def image(self, reference: str) -> Image | None:
        """The image on this host that runs as `reference`."""
        _, digest = split_reference(reference)
        found = self._image(reference)
        return found if found is not None and found.digest == digest else None

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        """Fetch an image by digest within `deadline` seconds in all."""
        split_reference(reference)
        until = self._clock.monotonic() + deadline
        query = {"reference": reference, "policy": "missing", "compatMode": "true"}
        try:
            with self._api.stream("POST", "/images/pull", query, {}, deadline) as response:
                Pull(reference, self._clock, until, progress).follow(response)
        except OSError as error:
            raise pull_failure(reference, reason(error)) from error
        return fetched(self.image(reference), reference)

    def load(self, archive: str, progress: Progress) -> tuple[Image, ...]:
        """Load every image of an archive."""
        with explained(IMAGE_LOAD_FAILED, archive=archive):
            upload = Upload(archive, progress)
            loaded = [self._load(upload.counted(content)) for content in for_podman(archive)]
        upload.end()
        return tuple(image for images in loaded for image in images)

    def _load(self, archive: Iterator[bytes]) -> list[Image]:
        headers = {"Content-Type": "application/x-tar"}
        answer = self._api.call("POST", "/images/load", headers=headers, body=archive, timeout=_LOAD_TIMEOUT)
        images = [self._image(str(name)) for name in answer.required().json()["Names"]]
        return [image for image in images if image is not None]

    def tag(self, image: str, name: str) -> None:
        """Give an image one more name."""
        repository, _, tag = name.rpartition(":")
        with explained(IMAGE_TAG_FAILED, image=image, name=name):
            self._api.call("POST", f"/images/{image}/tag", {"repo": repository, "tag": tag}).required()

    def remove_image(self, reference: str) -> bool:
        """Remove an image by one of its names."""
        with explained(IMAGE_REMOVE_FAILED, image=reference):
            answer = self._api.call("DELETE", f"/images/{reference}")
            if answer.status == HTTPStatus.CONFLICT:
                return False
            if not answer.missing:
                answer.required()
        return True

    def create(self, spec: ContainerSpec) -> None:
        """Make a container with restart policy `always`."""
        self._command.run(create_arguments(spec), _CREATE_TIMEOUT)

    @override
    def _switch(self, name: str, verb: str) -> None:
        with explained(ENGINE_FAILED, operation=f"{verb} the container {name}"):
            self._api.call("POST", f"/containers/{name}/{verb}").required()

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
        with explained(ENGINE_FAILED, operation=f"inspect the container {name}"):
            answer = self._api.call("GET", f"/containers/{name}/json")
            tries = 1
            while _replaced(answer) and tries < _MOST_REPLACED:
                self._clock.sleep(_REPLACED_PAUSE)
                answer = self._api.call("GET", f"/containers/{name}/json")
                tries += 1
            if answer.missing or _replaced(answer):
                return None
            return container_state(answer.required().json())

    def probe(self, name: str) -> bool:
        """Run the health check of a running container now."""
        with explained(ENGINE_FAILED, operation=f"check the health of the container {name}"):
            answer = self._api.call("GET", f"/containers/{name}/healthcheck")
            return answer.ok and answer.json().get("Status") == "healthy"

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
        with explained(ENGINE_FAILED, operation=f"remove the container {name}"):
            answer = self._api.call("DELETE", f"/containers/{name}", {"force": "true", "v": "true"})
            if not answer.missing:
                answer.required()

    def _image(self, name: str) -> Image | None:
        with explained(ENGINE_FAILED, operation=f"inspect the image {name}"):
            answer = self._api.call("GET", f"/images/{name}/json")
            return None if answer.missing else image_from(name, answer.required().json())


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


def _replaced(answer: Answer) -> bool:
    """Whether a container was found by name, but its id is gone."""
    return not answer.ok and _GONE in answer.text.lower()
