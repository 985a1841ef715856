"""Podman as a container engine."""

import os
import re
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.base.text import printable, text
from mstunnel_setup.containers import archive as archives
from mstunnel_setup.containers import pull as pulls
from mstunnel_setup.containers.command_line import once_arguments, once_name
from mstunnel_setup.containers.common_engine import CommonEngine, explained, reason_of
from mstunnel_setup.containers.engine import ContainerState, Finished, Image, Progress, engine_time, state_of
from mstunnel_setup.containers.errors import ENGINE_FAILED, IMAGE_LOAD_FAILED
from mstunnel_setup.containers.run_arguments import create_arguments
from mstunnel_setup.containers.spec import ContainerSpec, Volume, digest_tag, split_reference
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http_service import Answer, HttpService
from mstunnel_setup.io.process import Processes

_LOAD_TIMEOUT = 3600
# What a power failure left of an image: a layer without the name of the one below it.
_DAMAGED = re.compile(r"readlink \S+/overlay: invalid argument")
_CREATE_TIMEOUT = 600.0
# libpod's error when systemd replaces a container between the look-up of its name and that of its id.
_GONE = text("no container with id")
_MOST_REPLACED = 20
_REPLACED_PAUSE = 0.5
# libpod waits five seconds for a killed process and five more for conmon to record its exit:
# not enough on a busy machine. Both errors contain this text.
_DYING = text("could not be stopped")
_REMOVE_PATIENCE = 300.0
_REMOVE_PAUSE = 1.0


class PodmanEngine(CommonEngine):
    """A `ContainerEngine`; `version` is that of the Podman behind `service`."""

    def __init__(
        self,
        service: HttpService,
        processes: Processes,
        clock: Clock,
        command: tuple[str, ...],
        version: str,
    ) -> None:
        super().__init__(service, processes, clock, command)
        self._version = version

    def version(self) -> str:
        """The version of the engine."""
        return self._version

    def image(self, reference: str) -> Image | None:
        """The image on this host that runs as `reference`."""
        _, digest = split_reference(reference)
        found = self._image(reference)
        return found if found is not None and found.digest == digest else None

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        """Fetch an image by digest within `deadline` seconds in all."""
        split_reference(reference)
        until = self._clock.monotonic() + deadline
        parameters = {"reference": reference, "policy": "missing", "compatMode": "true"}
        try:
            with self._service.streamed("POST", "/images/pull", parameters, timeout=deadline) as report:
                pulls.Pull(reference, self._clock, until, progress).follow(report)
        except OSError as error:
            raise pulls.pull_failure(reference, reason_of(error)) from error
        os.sync()
        return pulls.fetched(self.image(reference), reference)

    def load(self, archive: str, reference: str, progress: Progress) -> Image:
        """Load an image from an archive in OCI format."""
        name, digest = digest_tag(reference), split_reference(reference)[1]
        image = archives.loadable(archive, digest)
        upload = archives.Upload(archive, progress)
        with explained(IMAGE_LOAD_FAILED, archive=archive):
            content = upload.counted(archives.for_podman(archive, image, name))
            answer = self._service.upload("/images/load", content, _LOAD_TIMEOUT).checked()
        upload.end()
        # Podman leaves content to the kernel, which writes it half a minute later.
        os.sync()
        found = self._image(name)
        if found is None or found.digest != digest:
            raise IMAGE_LOAD_FAILED(archive=archive, reason=printable(answer.words).strip())
        return found

    def repair_images(self) -> None:
        """Check the store, if this Podman can (5.2). Layers of no image go if they are older than this boot.

        Younger ones may be those of another pull that is running.
        """
        uptime = int(time.clock_gettime(time.CLOCK_BOOTTIME))
        check = ("system", "check", "--quick", "--repair", f"--max={uptime}s")
        self._command.run(check, _LOAD_TIMEOUT, accept_failure=True)

    def create(self, spec: ContainerSpec) -> None:
        """Make a container with restart policy `always`."""
        self._command.run(create_arguments(spec), _CREATE_TIMEOUT)

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
            answer = self._service.get(f"/containers/{name}/json")
            tries = 1
            while _replaced(answer) and tries < _MOST_REPLACED:
                self._clock.sleep(_REPLACED_PAUSE)
                answer = self._service.get(f"/containers/{name}/json")
                tries += 1
            return None if answer.missing or _replaced(answer) else container_state(answer.json())

    def probe(self, name: str) -> bool:
        """Run the health check of a running container now."""
        with explained(ENGINE_FAILED, operation=f"check the health of the container {name}"):
            answer = self._service.get(f"/containers/{name}/healthcheck")
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
            answer = self._service.delete(f"/containers/{name}", force="true", v="true")
            answer.checked(HTTPStatus.NOT_FOUND)

    def _image(self, name: str) -> Image | None:
        with explained(ENGINE_FAILED, operation=f"inspect the image {name}"):
            answer = self._service.get(f"/images/{name}/json")
            damaged = answer.status == HTTPStatus.INTERNAL_SERVER_ERROR and _DAMAGED.search(answer.words)
            return None if answer.missing or damaged else image_from(name, answer.json())


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
    return not answer.ok and _GONE in answer.words.lower()
