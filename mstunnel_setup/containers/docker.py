"""Docker as a container engine."""

import os
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import printable
from mstunnel_setup.containers import archive as archives
from mstunnel_setup.containers import pull as pulls
from mstunnel_setup.containers.command_line import once_arguments, once_name
from mstunnel_setup.containers.common_engine import CommonEngine, explained, reason_of
from mstunnel_setup.containers.engine import ContainerState, Finished, Image, Progress, engine_time, state_of
from mstunnel_setup.containers.errors import (
    ENGINE_FAILED,
    IMAGE_LOAD_FAILED,
    IMAGE_MISSING,
)
from mstunnel_setup.containers.run_arguments import create_arguments
from mstunnel_setup.containers.spec import DIGEST_LABEL, ContainerSpec, Volume, digest_tag, split_reference
from mstunnel_setup.io.http_service import ServiceError

_LOAD_TIMEOUT = 3600.0
_CREATE_TIMEOUT = 600.0
_PROBE_TIMEOUT = 120.0
_SHELL = "CMD-SHELL"


class DockerEngine(CommonEngine):
    """A `ContainerEngine`."""

    def version(self) -> str:
        """The version of the engine."""
        with explained(ENGINE_FAILED, operation="read the version of the container engine"):
            return self._service.get("/version").text("Version")

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
        parameters = {"fromImage": name, "tag": digest}
        try:
            with self._service.streamed(
                "POST", "/images/create", parameters, headers=_credentials(name), timeout=deadline
            ) as report:
                pulls.Pull(reference, self._clock, until, progress, "docker").follow(report)
        except OSError as error:
            raise pulls.pull_failure(reference, reason_of(error), "docker") from error
        os.sync()
        return pulls.fetched(self.image(reference), reference)

    def load(self, archive: str, reference: str, progress: Progress) -> Image:
        """Load an image from an archive in OCI format, verified by its digest."""
        name, digest = digest_tag(reference), split_reference(reference)[1]
        image = archives.loadable(archive, digest)
        upload = archives.Upload(archive, progress)
        with explained(IMAGE_LOAD_FAILED, archive=archive):
            content = upload.counted(archives.for_docker(archive, image, name))
            answer = self._service.upload("/images/load", content, _LOAD_TIMEOUT, quiet="true").checked()
            upload.end()
        # Docker leaves content to the kernel, which writes it half a minute later.
        os.sync()
        found = self._inspected(name)
        # Docker's newer image store names images by the digest of the manifest.
        if found is None or found["Id"] not in (image.configuration, image.digest):
            # An image with this name counts as verified.
            self.remove_image(name)
            reason = printable(answer.body.decode(errors="replace")).strip()
            raise IMAGE_LOAD_FAILED(archive=archive, reason=reason)
        return Image(name, digest, str(found["Id"]))

    def repair_images(self) -> None:
        """Nothing: Docker has no check of its store; an image that is removed and fetched again is whole."""

    def create(self, spec: ContainerSpec) -> None:
        """Make a container with restart policy `always`."""
        if self.image(spec.image) is None:
            # Docker would go and fetch it.
            raise IMAGE_MISSING(image=spec.image)
        self._command.run(create_arguments(spec, "docker"), _CREATE_TIMEOUT)

    def remove(self, name: str) -> None:
        """Stop and remove a container."""
        with explained(ENGINE_FAILED, operation=f"remove the container {name}"):
            answer = self._service.delete(f"/containers/{name}", force="true", v="true")
            # 409: it is being removed already.
            answer.checked(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

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
        answer = self._service.get(path)
        found: Mapping[str, Any] | None = None if answer.missing else answer.json()
        return found

    def _inspected(self, name: str) -> Mapping[str, Any] | None:
        with explained(ENGINE_FAILED, operation=f"inspect the image {name}"):
            found: Mapping[str, Any] | None = self._get(f"/images/{name}/json")
        return found


def container_state(inspected: Mapping[str, Any]) -> ContainerState:
    """The state in the answer of Docker's `inspect`."""
    asked = str(inspected["Config"].get("Image", "")).partition("@")[2]
    labelled = (inspected["Config"].get("Labels") or {}).get(DIGEST_LABEL)
    return state_of(inspected, labelled or asked)


def _credentials(image: str) -> Mapping[str, str]:
    """The credentials of `docker login` for the registry of an image, from its file or its helper."""
    from docker import auth  # noqa: PLC0415 (takes 120 ms)
    from docker.errors import DockerException  # noqa: PLC0415

    try:
        found = auth.resolve_authconfig(auth.load_config(), image.partition("/")[0])
    except DockerException as error:
        raise ServiceError(str(error)) from error
    return {"X-Registry-Auth": auth.encode_header(found).decode()} if found else {}
