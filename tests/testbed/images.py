"""Images of the testbed: built from `images/`, named by the hash of their recipe, in one Podman store."""

import json
import shutil
import stat
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TypeAlias

from mstunnel_setup import __version__
from scripts.bundle import agent_root, debian, dist, wheels
from scripts.bundle.debian import Architecture
from tests.testbed import cache
from tests.testbed.namespace import Namespace
from tests.testbed.paths import BUILDER, CACHE, IN_TESTBED, ROOT, RUNS
from tests.testbed.process import Completed, progress, run

SUITE = "trixie"
# Bootstrapped as Debian's own slim images are: copyright files stay, nothing is of the building machine.
_SLIM = (
    # As in Docker's images of Debian: files are not synced, and apt has no translations.
    "--dpkgopt=force-unsafe-io",
    '--aptopt=Acquire::Languages "none"',
    *(f"--dpkgopt=path-exclude=/usr/share/{directory}/*" for directory in ("doc", "info", "locale", "man")),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
    '--customize-hook=: >"$1/etc/hostname"; : >"$1/etc/resolv.conf"',
)
_BASE_TAG = f"{SUITE}-{wheels.digest([], *_SLIM)}"
# What images for this machine are made of.
BASE = f"localhost/mstunnel/base:{_BASE_TAG}"
# In the order in which their builds begin: what takes longest first, what others are made of before them. The
# program is built while those that do not contain it are.
WITHOUT_PROGRAM = ("gateway", "host", "client")
NAMES = (*WITHOUT_PROGRAM, "program", "agent", "server", "lab")
# Seconds that a build usually takes on two cores with everything to download, beside others.
_USUAL = {
    "gateway": 120,
    "program": 45,
    "host": 40,
    "client": 35,
    "agent": 10,
    "server": 5,
    "lab": 20,
    "lab-demo": 10,
}
_AT_ONCE = 3
_opened: list[Namespace] = []
DOCKER_SERVER = "server-docker"
RPM_HOST = "host-rpm"
SSH_HOST = "host-ssh"
# With the programs that ours are compared with.
PEERS_SERVER = "server-peers"
# Without what only tests need.
DEMO_LAB = "lab-demo"
# What a release consists of.
RELEASED = ("gateway", "agent")
USES_PROGRAM = ("lab", DEMO_LAB)
USES_ONE_FILE = ("server", DOCKER_SERVER, PEERS_SERVER)
# A server is a host with the one file.
HOST_OF = {"server": "host", DOCKER_SERVER: "host-docker", PEERS_SERVER: "host-peers"}
# Made from another image's recipe: its directory, and the build arguments that differ; hosts first.
VARIANTS: dict[str, tuple[str, dict[str, str]]] = {
    "host-docker": ("host", {"ENGINE": "docker-cli docker.io runc"}),
    RPM_HOST: ("host", {"MORE": "rpm"}),
    SSH_HOST: ("host", {"MORE": "openssh-server python3"}),
    DOCKER_SERVER: ("server", {}),
    "host-peers": ("host", {"MORE": "certbot pipx"}),
    PEERS_SERVER: ("server", {}),
    DEMO_LAB: ("lab", {"MORE": ""}),
}


@dataclass(frozen=True)
class Image:
    """A built image: its name with tag, and the digest of the manifest that Podman stores."""

    name: str
    reference: str
    digest: str


ImageSet: TypeAlias = Mapping[str, Image]
"""One image of every recipe, by recipe name."""


def build(*more: str, lab: str = "lab") -> ImageSet:
    """Build NAMES and `more` where they are not there yet, remove what no recipe makes any more.

    `lab` is the recipe that becomes the image of the lab.
    """
    cache.hold()
    with cache.writing():
        hosts = [HOST_OF[name] for name in more if name in HOST_OF]
        wanted = (*(lab if name == "lab" else name for name in NAMES), *hosts, *more)
        built: dict[str, Future[Image]] = {}
        with _one_namespace(), ThreadPoolExecutor(_AT_ONCE) as pool:
            programs = pool.submit(_programs)
            base = _base(debian.here())
            for name in WITHOUT_PROGRAM:
                built[name] = pool.submit(_image, name, _recipe(name, base))
            programs.result()
            recipes = _recipes(base)
            for name in wanted:
                made_of = built.get(HOST_OF.get(name, "program" if name in USES_PROGRAM else ""))
                if name not in built:
                    built[name] = pool.submit(_image, name, recipes[name], made_of)
        images = {"lab" if name == lab else name: built[name].result() for name in wanted}
        _prune({recipe.reference for recipe in recipes.values()} | {recipes["program"].arguments["BASE"]})
        return images


def build_for(target: Architecture) -> ImageSet:
    """Build RELEASED for an architecture: this machine's, or one that binfmt_misc runs with qemu-user."""
    cache.hold()
    with cache.writing():
        with _one_namespace(), ThreadPoolExecutor(len(RELEASED)) as pool:
            base = _base(target)
            built = {name: pool.submit(_image, name, _recipe(name, base, target=target)) for name in RELEASED}
        return {name: future.result() for name, future in built.items()}


def builder(*arguments: str, timeout: float = 60, check: bool = True) -> Completed:
    """Run Podman on the image store, with the machine's network; only while writing the cache."""
    if _opened:
        return _opened[-1].podman(*arguments, timeout=timeout, check=check)
    command = [str(IN_TESTBED), "--state", str(BUILDER), "--network", "host", "--", "podman", *arguments]
    return run(command, timeout=timeout, check=check)


@contextmanager
def _one_namespace() -> Iterator[None]:
    """Meanwhile all runs of Podman see each other's locks, so that several may build at a time."""
    _opened.append(Namespace(BUILDER, store=None, lasting=True))
    try:
        yield
    finally:
        _opened.pop().close()


def megabytes(reference: str) -> float:
    """The size of an image in the store, unpacked; only while writing the cache."""
    return int(builder("image", "inspect", "--format={{.Size}}", reference).stdout) / 1_000_000


def _base(target: Architecture) -> str:
    """Debian without anything: from the registry where one answers, else from the package mirror."""
    reference = f"{_store(target)}/base:{_BASE_TAG}"
    if builder("image", "exists", reference, check=False).code == 0:
        return reference
    upstream = f"docker.io/library/debian:{SUITE}-slim"
    progress(f"base image: trying {upstream}")
    architecture = f"--arch={target.debian}"
    pulled = builder("pull", "--quiet", "--retry=0", architecture, upstream, timeout=120, check=False)
    if pulled.code == 0:
        builder("tag", upstream, reference)
        return reference
    progress("base image: no registry answers, bootstrapping")
    tarball = CACHE / "base.tar"
    # Whether programs of the architecture run here is known by now (scripts/bundle/images.py).
    options = [
        "--quiet",
        "--variant=minbase",
        f"--architectures={target.debian}",
        "--skip=check/qemu",
        *_SLIM,
    ]
    run(["mmdebstrap", *options, SUITE, str(tarball)], timeout=_timeout(target))
    builder("import", "--quiet", architecture, str(tarball), reference, timeout=120)
    tarball.unlink()
    return reference


def _store(target: Architecture) -> str:
    """What the names of images begin with; those of another architecture are none of the testbed's."""
    return "localhost/mstunnel" if target == debian.here() else f"localhost/mstunnel-{target.debian}"


def _timeout(target: Architecture) -> float:
    """Seconds that a build may take beside others; emulation is slow."""
    return 1800 if target == debian.here() else 3600


@dataclass(frozen=True)
class _Recipe:
    """Directory below `images/`, build arguments, the name of what comes out, and what it runs on."""

    directory: str
    arguments: dict[str, str]
    reference: str
    target: Architecture


def _programs() -> None:
    """Everything that the checkout brings to images, kept for `_recipes` and `_build`."""
    wheels.dependencies()
    wheels.program()
    dist.one_file()


def _recipes(base: str) -> dict[str, _Recipe]:
    wheels_of = {"DEPENDENCIES": wheels.dependencies().name, "PROGRAM": wheels.program().name}
    program = _recipe("program", base, wheels_of)
    recipes = {"program": program}
    for name in (*[each for each in NAMES if each != "program"], *VARIANTS):
        copied = {"PROGRAM": program.reference} if name in USES_PROGRAM else {}
        if name in USES_ONE_FILE:
            host = recipes[HOST_OF[name]].reference
            copied = {"HOST": host, "ONE_FILE": dist.one_file().parent.name}
        recipes[name] = _recipe(name, base, copied)
    return recipes


def _recipe(
    name: str,
    base: str,
    copied: Mapping[str, str] = MappingProxyType({}),
    target: Architecture | None = None,
) -> _Recipe:
    directory, more = VARIANTS.get(name, (name, {}))
    arguments = {"BASE": base, **copied, **more}
    if name in RELEASED:
        arguments |= {"SOURCE_DATE_EPOCH": wheels.EPOCH, "VERSION": __version__}
    if name == "agent":
        arguments["ROOT"] = wheels.digest(
            [*dist.inputs(), *wheels.files_below("scripts/bundle/agent_root.py")]
        )
    target = target or debian.here()
    digest = wheels.digest(wheels.files_below(f"images/{directory}"), *arguments.values())
    return _Recipe(directory, arguments, f"{_store(target)}/{name}:{digest}", target)


def _image(name: str, recipe: _Recipe, made_of: Future[Image] | None = None) -> Image:
    """Build it unless it is there, once the image that it is made of is."""
    if made_of is not None:
        made_of.result()
    digest = _digest(recipe.reference, check=False)
    if not digest:
        _build(name, recipe)
        digest = _digest(recipe.reference)
    return Image(name, recipe.reference, digest)


def _build(name: str, recipe: _Recipe) -> None:
    context = CACHE / f"context-{name}"
    shutil.rmtree(context, ignore_errors=True)
    shutil.copytree(ROOT / "images" / recipe.directory, context)
    if name == "program":
        shutil.copytree(wheels.dependencies(), context / "dependencies")
        shutil.copytree(wheels.program(), context / "program")
    if name in USES_ONE_FILE:
        shutil.copy(dist.one_file(), context)
    if name == "agent":
        (context / "root").mkdir()
        agent_root.build(recipe.target, context / "root")
    _fix_permissions(context)
    usual = f", usually {_USUAL[name]} s" if name in _USUAL else ""
    progress(f"image {name}: building{usual}")
    options = [f"--build-arg={key}={value}" for key, value in recipe.arguments.items()]
    result = builder(
        "build",
        "--network=host",
        "--layers",
        "--pull=never",
        "--jobs=2",
        f"--platform=linux/{recipe.target.debian}",
        f"--timestamp={dist.EPOCH}",
        f"--label=org.opencontainers.image.version={__version__}",
        *options,
        f"--tag={recipe.reference}",
        str(context),
        timeout=_timeout(recipe.target),
        check=False,
    )
    shutil.rmtree(context)
    result.checked()
    progress(f"image {name}: built in {result.seconds:.0f} s")


def _fix_permissions(context: Path) -> None:
    """Layers keep the modes of what is copied into them, and a checkout has those of a umask."""
    for path in [each for each in context.rglob("*") if not each.is_symlink()]:
        mode = path.stat().st_mode
        if not mode & stat.S_ISVTX:
            path.chmod(0o755 if path.is_dir() or mode & stat.S_IXUSR else 0o644)


def _digest(reference: str, *, check: bool = True) -> str:
    """The digest of an image in the store; without `check` empty where it is not there."""
    return builder("image", "inspect", "--format={{.Digest}}", reference, check=check).stdout.strip()


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
