"""Images of the testbed: built from `images/`, named by the hash of their recipe, in one Podman store."""

import json
import shutil
from dataclasses import dataclass

from tests.testbed import cache, wheels
from tests.testbed.paths import BUILDER, CACHE, IN_TESTBED, ROOT, RUNS
from tests.testbed.process import Completed, TestbedError, progress, run

SUITE = "trixie"
# `program` first: the others copy it.
NAMES = ("program", "gateway", "agent", "server", "client", "lab")
USES_PROGRAM = ("agent", "server", "lab")


@dataclass(frozen=True)
class Image:
    """A built image: its name with tag, and the digest of the manifest that Podman stores."""

    name: str
    reference: str
    digest: str


@dataclass(frozen=True)
class ImageSet:
    """One image of every recipe, by recipe name."""

    images: dict[str, Image]

    def __getitem__(self, name: str) -> Image:
        """The image of recipe `name`."""
        return self.images[name]


def build(names: tuple[str, ...] = NAMES) -> ImageSet:
    """Build what is not there yet, remove what no recipe makes any more, and name all of it."""
    cache.hold()
    with cache.writing():
        base = _base()
        images: dict[str, Image] = {}
        for name in names:
            images[name] = _image(name, base, images.get("program"))
        _prune({base, *(image.reference for image in images.values())})
        return ImageSet(images)


def builder(*arguments: str, timeout: float = 60, check: bool = True) -> Completed:
    """Run Podman on the image store, with the machine's network; only while writing the cache."""
    command = [str(IN_TESTBED), "--state", str(BUILDER), "--network", "host", "--", "podman", *arguments]
    return run(command, timeout=timeout, check=check)


def _base() -> str:
    """Debian without anything: from the registry where one answers, else from the package mirror."""
    reference = f"localhost/mstunnel/base:{SUITE}"
    if builder("image", "exists", reference, check=False).code == 0:
        return reference
    upstream = f"docker.io/library/debian:{SUITE}-slim"
    progress(f"base image: trying {upstream}")
    pulled = builder("pull", "--quiet", "--retry=0", upstream, timeout=120, check=False)
    if pulled.code == 0:
        builder("tag", upstream, reference)
        return reference
    progress("base image: no registry answers, bootstrapping")
    tarball = CACHE / "base.tar"
    excluded = ("doc", "info", "locale", "man")
    slim = [f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in excluded]
    run(["mmdebstrap", "--quiet", "--variant=minbase", *slim, SUITE, str(tarball)], timeout=300)
    builder("import", "--quiet", str(tarball), reference, timeout=120)
    tarball.unlink()
    return reference


def _image(name: str, base: str, program: Image | None) -> Image:
    arguments = {"BASE": base}
    if name == "program":
        arguments |= {"DEPENDENCIES": wheels.dependencies().name, "PROGRAM": wheels.program().name}
    if name in USES_PROGRAM:
        assert program is not None, "the program comes before what copies it"
        arguments |= {"PROGRAM": program.reference}
    recipe = wheels.digest(wheels.files_below(f"images/{name}"), *arguments.values())
    reference = f"localhost/mstunnel/{name}:{recipe}"
    if builder("image", "exists", reference, check=False).code:
        _build(name, reference, arguments)
    return Image(name, reference, _digest(reference))


def _build(name: str, reference: str, arguments: dict[str, str]) -> None:
    context = CACHE / "context"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(ROOT / "images" / name, context)
    if name == "program":
        shutil.copytree(wheels.dependencies(), context / "dependencies")
        shutil.copytree(wheels.program(), context / "program")
    progress(f"image {name}: building")
    options = [f"--build-arg={key}={value}" for key, value in arguments.items()]
    result = builder(
        "build",
        "--network=host",
        "--layers",
        "--pull=never",
        *options,
        f"--tag={reference}",
        str(context),
        timeout=600,
        check=False,
    )
    shutil.rmtree(context)
    if result.code:
        raise TestbedError(result.describe())
    progress(f"image {name}: built in {result.seconds:.0f} s")


def _digest(reference: str) -> str:
    return builder("image", "inspect", "--format={{.Digest}}", reference).stdout.strip()


def _prune(keep: set[str]) -> None:
    if not cache.unshared():
        return
    # What testbeds left that were killed together with the program that ran them.
    for stale in RUNS.glob("*"):
        shutil.rmtree(stale)
    listed = json.loads(builder("images", "--format=json").stdout)
    names = {name for image in listed for name in image.get("Names") or []}
    old = sorted(name for name in names - keep if name.startswith("localhost/mstunnel/"))
    if old:
        builder("rmi", "--force", *old, timeout=300)
        builder("image", "prune", "--force", timeout=300)
