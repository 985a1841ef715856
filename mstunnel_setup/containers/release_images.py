"""The images of this program's own release, by digest; only the single-file program has them."""

import json
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from mstunnel_setup.base import paths
from mstunnel_setup.io import bundle

LOCAL = "localhost/mstunnel"
"""The registry name of images that come from an archive."""


@dataclass(frozen=True)
class ReleaseImages:
    """The digests (`sha256:…`) of the images, the name of their archive, and their registry or empty."""

    gateway: str
    agent: str
    archive: str
    registry: str

    def references(self, registry: str | None) -> dict[str, str]:
        """Return `registry/name@sha256:…` of each image, by the name of its answer."""
        place = registry or self.registry or LOCAL
        return {"server": f"{place}/gateway@{self.gateway}", "agent": f"{place}/agent@{self.agent}"}

    def places(self) -> list[Path]:
        """Return the archive's candidate paths: next to the single file, then the archive directory."""
        file = bundle.one_file()
        beside = [] if file is None else [Path(file).parent]
        return [directory / self.archive for directory in (*beside, Path(paths.IMAGE_ARCHIVES))]


def release_images() -> ReleaseImages | None:
    """Return the images that `make dist` wrote into the program (scripts/bundle); None in a checkout."""
    written = files("mstunnel_setup") / "data" / "release-images.json"
    try:
        return ReleaseImages(**json.loads(written.read_text()))  # noqa: TID251 (a file of the package)
    except FileNotFoundError:
        return None
