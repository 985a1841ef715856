"""Docker: its HTTP interface for queries, images and life cycle, and its command line as with Podman.

The command line creates containers, so that they get the same options as in a unit file, and runs programs
in them.
"""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from typing_extensions import override

from mstunnel_setup.containers.api import EngineApi, explained, reason
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
from mstunnel_setup.errors import EngineError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.process import Processes
from mstunnel_setup.text import printable

_LOAD_TIMEOUT = 3600.0
_CREATE_TIMEOUT = 600.0
_PROBE_TIMEOUT = 120.0
_SHELL = "CMD-SHELL"


class DockerEngine(CommandEngine):
    """A `ContainerEngine`. `api` is that of the daemon, `command` how its command line is called."""

    def __init__(self, api: EngineApi, processes: Processes, clock: Clock, command: tuple[str, ...]) -> None:
        super().__init__(CommandLine(processes, command))
        self._api = api
        self._clock = clock

    def version(self) -> str:
        """The version of the daemon."""
        with explained(ENGINE_FAILED, operation="read the version of Docker"):
            return str(self._api.call("GET", "/version").required().json()["Version"])

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
            query, headers = {"fromImage": name, "tag": digest}, _credentials(name)
            with self._api.stream("POST", "/images/create", query, headers, deadline) as response:
                Pull(reference, self._clock, until, progress, "docker").follow(response)
        except OSError as error:
            raise pull_failure(reference, reason(error), "docker") from error
        return fetched(self.image(reference), reference)

    def load(self, archive: str, progress: Progress) -> tuple[Image, ...]:
        """Load an archive in OCI format; the digest of each image is verified first."""
        images = loadable(archive)
        upload = Upload(archive, progress)
        with explained(IMAGE_LOAD_FAILED, archive=archive):
            answer = self._api.call(
                "POST",
                "/images/load",
                {"quiet": "true"},
                headers={"Content-Type": "application/x-tar"},
                body=upload.counted(for_docker(archive, images)),
                timeout=_LOAD_TIMEOUT,
            ).required()
            upload.end()
            return tuple(self._loaded(archive, image, answer.text) for image in images)

    def tag(self, image: str, name: str) -> None:
        """Give an image one more name."""
        repository, _, tag = name.rpartition(":")
        with explained(IMAGE_TAG_FAILED, image=image, name=name):
            self._api.call("POST", f"/images/{image}/tag", {"repo": repository, "tag": tag}).required()

    def remove_image(self, reference: str) -> bool:
        """Remove an image by one of its names."""
        with explained(IMAGE_REMOVE_FAILED, image=reference):
            return self._delete(f"/images/{reference}") != HTTPStatus.CONFLICT

    def create(self, spec: ContainerSpec) -> None:
        """Make a container with restart policy `always`."""
        if self.image(spec.image) is None:
            # Docker would go and fetch it.
            raise IMAGE_MISSING(image=spec.image)
        self._command.run(create_arguments(spec, "docker"), _CREATE_TIMEOUT)

    def remove(self, name: str) -> None:
        """Stop and remove a container."""
        with explained(ENGINE_FAILED, operation=f"remove the container {name}"):
            self._delete(f"/containers/{name}", {"force": "true", "v": "true"})

    def inspect(self, name: str) -> ContainerState | None:
        """The state of a container."""
        with explained(ENGINE_FAILED, operation=f"inspect the container {name}"):
            found = self._get(f"/containers/{name}/json")
        return None if found is None else container_state(found)

    def probe(self, name: str) -> bool:
        """Run the health check of a running container now, before Docker does."""
        with explained(ENGINE_FAILED, operation=f"check the health of the container {name}"):
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

    def _get(self, path: str) -> Mapping[str, Any] | None:
        answer = self._api.call("GET", path)
        if answer.missing:
            return None
        found: Mapping[str, Any] = answer.required().json()
        return found

    def _delete(self, path: str, query: Mapping[str, str] | None = None) -> int:
        """The status; what is missing or in use is an answer, anything else raises OSError."""
        answer = self._api.call("DELETE", path, query)
        if answer.status not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
            answer.required()
        return answer.status

    @override
    def _switch(self, name: str, verb: str) -> None:
        with explained(ENGINE_FAILED, operation=f"{verb} the container {name}"):
            # 304: the container is already in that state.
            self._api.call("POST", f"/containers/{name}/{verb}").required()

    def _inspected(self, name: str) -> Mapping[str, Any] | None:
        with explained(ENGINE_FAILED, operation=f"inspect the image {name}"):
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


def _credentials(name: str) -> Mapping[str, str]:
    """The credentials of `docker login` for the registry of an image. Raises OSError."""
    from docker import auth  # noqa: PLC0415 (takes 120 ms)
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        found = auth.resolve_authconfig(auth.load_config(), name.partition("/")[0])
    except DockerException as error:
        raise OSError(str(error)) from error
    return {"X-Registry-Auth": auth.encode_header(found).decode()} if found else {}
