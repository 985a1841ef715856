"""Podman: podman-py for questions and life cycle, its command line where the library falls short.

The command line creates containers (environment files and tmpfs are beyond podman-py 5.8, and the options are
then the very ones of the Quadlet file) and runs programs in them (podman-py has no time limit there).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import IO, Any

from mstunnel_setup.containers.command_line import CommandEngine, CommandLine, once_arguments, once_name
from mstunnel_setup.containers.engine import (
    ContainerState,
    Finished,
    Image,
    Progress,
    clean,
    engine_time,
)
from mstunnel_setup.containers.oci_archive import each
from mstunnel_setup.containers.pull import Pull, fetched, pull_failure
from mstunnel_setup.containers.run_arguments import create_arguments
from mstunnel_setup.containers.spec import ContainerSpec, Volume, split_reference
from mstunnel_setup.errors import EngineError
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.process import Processes

_LOAD_TIMEOUT = 3600
_CREATE_TIMEOUT = 600.0
# libpod's words for a container that is removed after its name has led to its id: systemd makes another one.
_GONE = "no container with id"
_MOST_REPLACED = 20
_REPLACED_PAUSE = 0.5
# libpod gives a killed process five seconds, and then conmon, which writes down how it ended, five more;
# too few on a busy machine. Both errors have these words.
_DYING = "could not be stopped"
_REMOVE_PATIENCE = 300.0
_REMOVE_PAUSE = 1.0
_IN_USE = 409


class PodmanEngine(CommandEngine):
    """A `ContainerEngine`. `client` is a podman-py client, `command` how its command line is called."""

    def __init__(self, client: Any, processes: Processes, clock: Clock, command: tuple[str, ...]) -> None:
        super().__init__(CommandLine(processes, command))
        self._client = client
        self._clock = clock

    def version(self) -> str:
        """The version of Podman."""
        with _explained("engine-not-running", "Podman does not tell its version"):
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

    def load(self, archive: str) -> tuple[Image, ...]:
        """Load every image of an archive."""
        with _explained("image-load-failed", f"cannot load {archive}"):
            return tuple(image for content in each(archive) for image in self._load(content))

    def _load(self, archive: IO[bytes] | Iterator[bytes]) -> list[Image]:
        """Load what is streamed; podman-py's own `load` would read all of it into memory."""
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
        with _explained("image-tag-failed", f"cannot name the image {image} {name}"):
            self._client.images.get(image).tag(repository, tag)

    def remove_image(self, reference: str) -> bool:
        """Remove an image by one of its names."""
        with _explained("image-remove-failed", f"cannot remove {reference}"):
            response = self._client.api.delete(f"/images/{reference}")
            if response.status_code == _IN_USE:
                return False
            if not _missing(response):
                response.raise_for_status()
        return True

    def create(self, spec: ContainerSpec) -> None:
        """Make a container with restart policy `always`."""
        self._command.run(create_arguments(spec), _CREATE_TIMEOUT)

    def start(self, name: str) -> None:
        """Start a container."""
        with _explained("container-failed", f"cannot start the container {name}"):
            self._client.containers.get(name).start()

    def stop(self, name: str) -> None:
        """Stop a container."""
        with _explained("container-failed", f"cannot stop the container {name}"):
            self._client.containers.get(name).stop()

    def restart(self, name: str) -> None:
        """Stop and start a container."""
        with _explained("container-failed", f"cannot restart the container {name}"):
            self._client.containers.get(name).restart()

    def remove(self, name: str) -> None:
        """Stop and remove a container; Podman is asked again while one takes long to die."""
        until = self._clock.monotonic() + _REMOVE_PATIENCE
        while True:
            try:
                return self._remove(name)
            except EngineError as error:
                if _DYING not in error.message or self._clock.monotonic() >= until:
                    raise
            self._clock.sleep(_REMOVE_PAUSE)

    def inspect(self, name: str) -> ContainerState | None:
        """The state of a container; one that is replaced while Podman looks is looked for again."""
        with _explained("engine-failed", f"cannot look at the container {name}"):
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
        with _explained("engine-failed", f"cannot check the health of the container {name}"):
            response = self._client.api.get(f"/containers/{name}/healthcheck")
            return bool(response.ok) and response.json().get("Status") == "healthy"

    def run_once(
        self, image: str, arguments: Sequence[str], volumes: Sequence[Volume], timeout: float
    ) -> Finished:
        """Run a program of an image in a container of its own, without network."""
        name = once_name()
        # Should we be killed, Podman ends the container.
        options = ("--pull=never", f"--timeout={int(timeout) + 5}")
        command = once_arguments(name, image, arguments, volumes, *options)
        try:
            return self._command.finish(command, timeout)
        except EngineError:
            self.remove(name)
            raise

    def _remove(self, name: str) -> None:
        with _explained("container-failed", f"cannot remove the container {name}"):
            response = self._client.api.delete(f"/containers/{name}", params={"force": True, "v": True})
            if not _missing(response):
                response.raise_for_status()

    def _image(self, name: str) -> Image | None:
        with _explained("engine-failed", f"cannot look at the image {name}"):
            response = self._client.api.get(f"/images/{name}/json")
            if _missing(response):
                return None
            response.raise_for_status()
            return image_from(name, response.json())


def container_state(inspected: Mapping[str, Any]) -> ContainerState:
    """The state in the answer of Podman's `inspect`."""
    state = inspected["State"]
    name = str(inspected.get("ImageName", ""))
    return ContainerState(
        status=str(state["Status"]),
        health=(state.get("Health") or {}).get("Status") or None,
        labels=dict(inspected["Config"].get("Labels") or {}),
        # The digest asked for: `ImageDigest` is another one when the reference names a multi-platform index.
        image_digest=name.partition("@")[2] or str(inspected.get("ImageDigest", "")),
        started_at=engine_time(str(state.get("StartedAt", ""))),
        process_id=int(state.get("Pid") or 0) or None,
    )


def image_from(name: str, inspected: Mapping[str, Any]) -> Image:
    """The image in the answer of Podman's image `inspect`, seen under `name`.

    An image has several digests when its reference names a multi-platform index; the one asked for counts.
    """
    wanted = name.partition("@")[2]
    known = {str(reference).partition("@")[2] for reference in inspected.get("RepoDigests") or ()}
    digest = wanted if wanted and wanted in known else str(inspected.get("Digest", ""))
    return Image(name, digest, str(inspected["Id"]))


def _replaced(response: Any) -> bool:
    """Whether a container was found by its name, and then was gone by its id."""
    return not response.ok and _GONE in str(response.text).lower()


def _missing(response: Any) -> bool:
    return bool(response.status_code == 404)  # noqa: PLR2004 (HTTP: not found)


@contextmanager
def _explained(code: str, what: str) -> Iterator[None]:
    """Turn the errors of podman-py into ours; they, as those of requests, are OSErrors."""
    try:
        yield
    except OSError as error:
        raise EngineError(
            code, f"{what}: {clean(_reason(error))}", "Mend the cause and run the command again."
        ) from error


def _reason(error: OSError) -> str:
    """The words of Podman; when it gave none, those of the connection."""
    if getattr(error, "response", None) is not None:
        return str(getattr(error, "explanation", error))
    return str(error.__cause__ or error)
