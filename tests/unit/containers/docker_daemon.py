"""A Docker daemon for tests, with the part of the HTTP interface (Engine API 1.45) that the program uses."""

import io
import json
import tarfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.serving import Answer, Request, answering


@dataclass
class Daemon:
    """The daemon's objects and behaviour.

    `report` has the lines of a pull, `delay` the seconds before each.
    """

    version: dict[str, Any] = field(
        default_factory=lambda: {
            "Version": "26.1.5",
            "ApiVersion": "1.45",
            "Components": [{"Name": "Engine"}],
        }
    )
    security: list[str] = field(default_factory=lambda: ["name=seccomp,profile=builtin"])
    images: dict[str, str] = field(default_factory=dict)
    in_use: set[str] = field(default_factory=set)
    containers: dict[str, dict[str, Any]] = field(default_factory=dict)
    registry: dict[str, str] = field(default_factory=dict)
    report: list[dict[str, Any]] = field(default_factory=list)
    delay: float = 0.0
    loaded: list[dict[str, Any]] = field(default_factory=list)
    renamed: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def answer(self, method: str, path: str, body: bytes) -> tuple[int, Any]:
        """Return status and JSON of a response."""
        self.asked.append(f"{method} {path}")
        match method, path.split("/")[1:]:
            case "GET", ["version"]:
                return 200, self.version
            case "GET", ["info"]:
                return 200, {"SecurityOptions": self.security}
            case "POST", ["images", "load"]:
                return 200, self._load(body)
            case "GET", ["images", *name, "json"]:
                return self._image("/".join(name))
            case "DELETE", ["images", *name]:
                return self._remove("/".join(name))
            case _, ["containers", name, *verb]:
                return self._container(method, name, verb)
        return 404, {"message": f"page not found: {path}"}

    def pull(self, query: dict[str, str]) -> Iterator[dict[str, Any]]:
        """Yield the report of a pull, line by line; afterwards the daemon has the image."""
        reference = f"{query['fromImage']}@{query['tag']}"
        self.asked.append(f"pull {reference}")
        for line in self.report:
            time.sleep(self.delay)
            yield line
        if reference in self.registry:
            self.images[reference] = self.registry[reference]

    def _load(self, body: bytes) -> Any:
        with tarfile.open(fileobj=io.BytesIO(body)) as archive:
            member = archive.extractfile("manifest.json")
            assert member is not None
            self.loaded = json.loads(member.read())
            names = set(archive.getnames())
        for entry in self.loaded:
            assert {entry["Config"], *entry["Layers"]} <= names
            image = entry["Config"].removeprefix("blobs/").replace("/", ":")
            image = self.renamed.get(str(image), str(image))
            self.images |= dict.fromkeys([image, *(entry["RepoTags"] or ())], image)
        return {"stream": "Loaded image"}

    def _image(self, name: str) -> tuple[int, Any]:
        found = self.images.get(name)
        if found is None:
            return 404, {"message": "No such image"}
        return 200, {"Id": found, "Created": "2026-03-01T10:00:00.5Z"}

    def _remove(self, name: str) -> tuple[int, Any]:
        if name in self.in_use:
            return 409, {"message": "conflict: image is being used"}
        return (200, []) if self.images.pop(name, None) else (404, {"message": "No such image"})

    def _container(self, method: str, name: str, verb: list[str]) -> tuple[int, Any]:
        found = self.containers.get(name)
        if found is None:
            return 404, {"message": f"No such container: {name}"}
        if method == "DELETE":
            del self.containers[name]
        elif verb != ["json"]:
            wanted = "exited" if verb == ["stop"] else "running"
            changed, found["State"]["Status"] = found["State"]["Status"] != wanted, wanted
            return (204 if changed or verb == ["restart"] else 304), None
        return 200, found


@contextmanager
def serve(daemon: Daemon, path: Path) -> Iterator[str]:
    """Serve the daemon at `path` and yield its address."""

    def answer(request: Request) -> Answer:
        split = urlsplit(request.path)
        query = {name: values[0] for name, values in parse_qs(split.query).items()}
        asked = unquote(split.path).removeprefix("/v1.45")
        if asked == "/images/create":
            return Answer(200, _chunks(daemon.pull(query)), {"Transfer-Encoding": "chunked"})
        status, content = daemon.answer(request.method, asked, request.body)
        return Answer(status, b"" if content is None else json.dumps(content).encode())

    with answering(answer, at=path):
        yield f"unix://{path}"


def _chunks(lines: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    for line in lines:
        data = json.dumps(line).encode() + b"\r\n"
        yield b"%x\r\n%s\r\n" % (len(data), data)
    yield b"0\r\n\r\n"
