"""A release as `make images packages` makes it: program, images' archive and packages, in one folder."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from scripts import debian, dist, packages, wheels
from scripts import images as archives
from tests.testbed import cache
from tests.testbed.images import ImageSet
from tests.testbed.paths import CACHE
from tests.testbed.process import progress

FOLDER = CACHE / "release"


@dataclass(frozen=True)
class Release:
    """What is copied to a host, and the digest of each image by its recipe's name."""

    program: Path
    archive: Path
    packages: dict[str, Path]
    digests: dict[str, str]


def prepare(images: ImageSet) -> Release:
    """The release of these images and of this checkout; made when it is not there yet."""
    recipes = [images[name].reference.rpartition(":")[2] for name in archives.IMAGES]
    folder = FOLDER / f"release-{wheels.digest(dist.inputs(), *recipes)}"
    with cache.writing():
        if not folder.is_dir():
            progress("release: making it")
            partial = folder.with_name(f"{folder.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            _make(images, partial)
            partial.rename(folder)
            if cache.unshared():
                wheels.remove_older(folder)
    recorded = json.loads((folder / f"images-{debian.here().debian}.json").read_text())
    found = {path.suffix[1:]: path for kind in packages.KINDS for path in folder.glob(f"*.{kind}")}
    digests = {name: recorded[name] for name in archives.IMAGES}
    return Release(folder / dist.NAME, folder / recorded["archive"], found, digests)


def _make(images: ImageSet, folder: Path) -> None:
    archives.write(images, folder)
    program = folder / dist.NAME
    dist.build(program, debian.here(), dist.release_images(debian.here(), folder))
    packages.build(program, folder, debian.here())
