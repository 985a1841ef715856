"""One file with the gateway and agent images, for an installation that cannot reach a registry."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.testbed import cache
from tests.testbed.images import ImageSet, builder
from tests.testbed.namespace import Namespace
from tests.testbed.paths import CACHE, RUNS
from tests.testbed.process import progress
from tests.testbed.registry import SERVED

DIRECTORY = CACHE / "images"


@dataclass(frozen=True)
class Archive:
    """`path` is what `podman load` takes; the images are then found as `name@sha256:...`, by recipe name."""

    path: Path
    references: dict[str, str]


def prepare(images: ImageSet) -> Archive:
    """The archive of these images; written when it is not there yet.

    Of Podman's formats only docker-archive holds several images. The digest after loading is that of a
    manifest which Podman makes of the archive: the same on every load, and neither the one that the image
    had before nor the registry's.
    """
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    names = [images[name].reference for name in SERVED]
    path = DIRECTORY / ("-".join(name.rpartition(":")[2] for name in names) + ".tar")
    index = path.with_suffix(".json")
    with cache.writing():
        if not index.exists():
            _save(path, names)
            index.write_text(json.dumps(_references(path, images)))
    return Archive(path, json.loads(index.read_text()))


def _save(path: Path, names: list[str]) -> None:
    progress("archive: saving images")
    if cache.unshared():
        for old in DIRECTORY.iterdir():
            old.unlink()
    path.unlink(missing_ok=True)
    arguments = ["--quiet", "--format=docker-archive", "--multi-image-archive", f"--output={path}"]
    builder("save", *arguments, *names, timeout=120)


def _references(path: Path, images: ImageSet) -> dict[str, str]:
    namespace = Namespace(RUNS / f"archive-{path.stem}", store=None)
    try:
        namespace.podman("load", "--quiet", f"--input={path}", timeout=120)
        return {name: _reference(namespace, images[name].reference) for name in SERVED}
    finally:
        namespace.close()


def _reference(namespace: Namespace, tagged: str) -> str:
    found = namespace.podman("image", "inspect", "--format={{index .RepoDigests 0}}", tagged)
    return found.stdout.strip()
