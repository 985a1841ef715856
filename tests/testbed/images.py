"""Images of the testbed: built from `images/`, named by the hash of their recipe, in one Podman store."""

import json
import shutil
from dataclasses import dataclass

from mstunnel_setup import __version__
from scripts import agent_root, debian, dist, wheels
from tests.testbed import cache
from tests.testbed.paths import BUILDER, CACHE, IN_TESTBED, ROOT, RUNS
from tests.testbed.process import Completed, TestbedError, progress, run

SUITE = "trixie"
# `program` and `host` first: others are made of them. A server is a host with the one file.
NAMES = ("program", "host", "gateway", "agent", "server", "client", "lab")
DOCKER_SERVER = "server-docker"
RPM_HOST = "host-rpm"
USES_PROGRAM = ("lab",)
USES_ONE_FILE = ("server", DOCKER_SERVER)
HOST_OF = {"server": "host", DOCKER_SERVER: "host-docker"}
# Made from another image's recipe: its directory, and the build arguments that differ; hosts first.
VARIANTS: dict[str, tuple[str, dict[str, str]]] = {
    "host-docker": ("host", {"ENGINE": "docker-cli docker.io runc"}),
    RPM_HOST: ("host", {"MORE": "rpm"}),
    DOCKER_SERVER: ("server", {}),
}


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


def build(*more: str) -> ImageSet:
    """Build NAMES and `more` where they are not there yet, remove what no recipe makes any more."""
    cache.hold()
    with cache.writing():
        recipes = _recipes(_base())
        hosts = [HOST_OF[name] for name in more if name in HOST_OF]
        images = {name: _image(name, recipes[name]) for name in (*NAMES, *hosts, *more)}
        _prune({recipe.reference for recipe in recipes.values()} | {recipes["program"].arguments["BASE"]})
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
    slim = [f"--dpkgopt=path-exclude=/usr/share/{directory}/*" for directory in excluded]
    run(["mmdebstrap", "--quiet", "--variant=minbase", *slim, SUITE, str(tarball)], timeout=300)
    builder("import", "--quiet", str(tarball), reference, timeout=120)
    tarball.unlink()
    return reference


@dataclass(frozen=True)
class _Recipe:
    """Directory below `images/`, build arguments, and the name of what comes out."""

    directory: str
    arguments: dict[str, str]
    reference: str


def _recipes(base: str) -> dict[str, _Recipe]:
    wheels_of = {"DEPENDENCIES": wheels.dependencies().name, "PROGRAM": wheels.program().name}
    program = _recipe("program", {"BASE": base, **wheels_of})
    recipes = {"program": program}
    for name in (*NAMES[1:], *VARIANTS):
        copied = {"PROGRAM": program.reference} if name in USES_PROGRAM else {}
        if name in USES_ONE_FILE:
            host = recipes[HOST_OF[name]].reference
            copied = {"HOST": host, "ONE_FILE": dist.one_file().parent.name}
        if name == "agent":
            copied = {"ROOT": wheels.digest([*dist.inputs(), *wheels.files_below("scripts/agent_root.py")])}
        recipes[name] = _recipe(name, {"BASE": base, **copied})
    return recipes


def _recipe(name: str, arguments: dict[str, str]) -> _Recipe:
    directory, more = VARIANTS.get(name, (name, {}))
    arguments = arguments | more
    digest = wheels.digest(wheels.files_below(f"images/{directory}"), *arguments.values())
    return _Recipe(directory, arguments, f"localhost/mstunnel/{name}:{digest}")


def _image(name: str, recipe: _Recipe) -> Image:
    if builder("image", "exists", recipe.reference, check=False).code:
        _build(name, recipe)
    return Image(name, recipe.reference, _digest(recipe.reference))


def _build(name: str, recipe: _Recipe) -> None:
    context = CACHE / "context"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(ROOT / "images" / recipe.directory, context)
    if name == "program":
        shutil.copytree(wheels.dependencies(), context / "dependencies")
        shutil.copytree(wheels.program(), context / "program")
    if name in USES_ONE_FILE:
        shutil.copy(dist.one_file(), context)
    if name == "agent":
        (context / "root").mkdir()
        agent_root.build(debian.here(), context / "root")
    progress(f"image {name}: building")
    options = [f"--build-arg={key}={value}" for key, value in recipe.arguments.items()]
    result = builder(
        "build",
        "--network=host",
        "--layers",
        "--pull=never",
        f"--timestamp={dist.EPOCH}",
        f"--label=org.opencontainers.image.version={__version__}",
        *options,
        f"--tag={recipe.reference}",
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
