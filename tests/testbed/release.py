"""A release as `make images packages` makes it: program, images' archive and packages, in one directory."""

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scripts.bundle import debian, dist, packages, wheels
from scripts.bundle import images as archives
from tests.testbed import cache
from tests.testbed.images import RELEASED, ImageSet
from tests.testbed.paths import CACHE
from tests.testbed.process import progress

DIRECTORY = CACHE / "release"


@dataclass(frozen=True)
class Release:
    """What is copied to a host, and the digest of each image by its recipe's name."""

    program: Path
    archive: Path
    packages: dict[str, Path]
    digests: dict[str, str]


def prepare(images: ImageSet) -> Release:
    """The release of these images and of this checkout; made when it is not there yet."""
    recipes = [images[name].reference.rpartition(":")[2] for name in RELEASED]
    directory = DIRECTORY / f"release-{wheels.digest(dist.inputs(), *recipes)}"
    with cache.writing():
        wheels.kept(directory, partial(_make, images), cache.unshared)
    recorded = json.loads((directory / f"images-{debian.here().debian}.json").read_text())
    found = {path.suffix[1:]: path for kind in packages.KINDS for path in directory.glob(f"*.{kind}")}
    digests = {name: recorded[name] for name in RELEASED}
    return Release(directory / dist.NAME, directory / recorded["archive"], found, digests)


def _make(images: ImageSet, directory: Path) -> None:
    progress("release: making it")
    archives.write(images, directory, debian.here())
    program = directory / dist.NAME
    dist.build(program, debian.here(), dist.release_images(debian.here(), directory))
    packages.build(program, directory, debian.here())
