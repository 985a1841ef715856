"""A release of the past, built from its commit with its own scripts, kept by the hash of this recipe."""

import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.machines.places import kept
from tests.testbed import cache
from tests.testbed.paths import ROOT
from tests.testbed.process import progress, run

RELEASES = {
    "0.2.0": "241be005093fe6d3c187ced089b9b56282f6c097",
}
"""Commit of each release that later programs are tested with."""
_PROGRAM = "mstunnel-setup"
# What `make images dist` did then, without the images of its testbed.
_BUILD = """\
from tests.testbed import images
images.NAMES, images.VARIANTS = ("program", "gateway", "agent"), {}
from scripts.bundle import dist
from scripts.bundle import images as archives
archives.main()
dist.main()
"""


@dataclass(frozen=True)
class OldRelease:
    """The program as one file, and the archive of both images."""

    program: Path
    archive: Path


def prepare(version: str) -> OldRelease:
    """One of RELEASES; made when it is not there yet, in four to eight minutes.

    Skips the test where the clone lacks the commit.
    """
    commit = RELEASES[version]
    if run(["git", "-C", str(ROOT), "cat-file", "-e", f"{commit}^{{commit}}"], check=False).code:
        pytest.skip(f"commit {commit} of release {version} is not in this clone")
    cache.hold()
    with cache.writing():
        directory = kept(f"old-release-{version}", (commit, _BUILD), lambda path: _build(commit, path))
    (archive,) = directory.glob("mstunnel-images-*.tar")
    return OldRelease(directory / _PROGRAM, archive)


def _build(commit: str, directory: Path) -> None:
    """Build it in a tree of its own, with its own store of images; both are removed."""
    progress(f"old release: building commit {commit}")
    tree = directory / "tree"
    tree.mkdir()
    exported = directory / "tree.tar"
    run(["git", "-C", str(ROOT), "archive", f"--output={exported}", commit])
    run(["tar", "--extract", f"--file={exported}", f"--directory={tree}"])
    run(["env", f"--chdir={tree}", sys.executable, "-c", _BUILD], timeout=1800)
    for path in (tree / "dist" / _PROGRAM, *(tree / "dist").glob("mstunnel-images-*.tar")):
        path.rename(directory / path.name)
    shutil.rmtree(tree)
    exported.unlink()
