"""Fixtures of the cases with real Podman, a plugin of their pytest: image, registry, and engine."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from registry import Registry, serve  # type: ignore[import-not-found]

from mstunnel_setup.containers.archive import ArchivedImage, archived_images
from mstunnel_setup.containers.container_spec import ContainerSpec
from mstunnel_setup.containers.engine import ContainerEngine
from mstunnel_setup.containers.podman import PodmanEngine, podman_engine
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.io.systemd import Systemd
from mstunnel_setup.transaction.action import UndoRecord
from tests.unit.fakes import no_progress

_PROGRAMS = ("sh", "sleep", "cat", "env", "test", "ls", "id")
_FOREVER = "trap 'exit 0' TERM; echo started; while :; do sleep 0.1; done"


@dataclass
class Ports(Any):
    engine: ContainerEngine
    state_directory: str
    files: Files = field(default_factory=Files)
    processes: Processes = field(default_factory=Processes)
    clock: Clock = field(default_factory=Clock)
    fetched: list[tuple[int, int]] = field(default_factory=list)

    @property
    def systemd(self) -> Systemd:
        return Systemd(self.processes)

    def progress(self, done: int, known: int) -> None:
        self.fetched.append((done, known))


@dataclass(frozen=True)
class Archives:
    """Three archives of the same image: with a name, without one, and in Docker's format."""

    named: Path
    nameless: Path
    docker: Path
    digest: str


def podman(*arguments: str) -> str:
    return subprocess.run(["podman", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def _fill_root(root: Path) -> None:
    """Make the smallest system that runs `_PROGRAMS`: this machine's programs with their libraries."""
    for program in _PROGRAMS:
        source = shutil.which(program)
        assert source
        _copy(Path(source), root / "bin" / program)
        for word in subprocess.run(
            ["ldd", source], capture_output=True, text=True, check=True
        ).stdout.split():
            if word.startswith("/"):
                _copy(Path(word), root / word.lstrip("/"))
    (root / "tmp").mkdir()
    # This content does not compress, so that a slow registry is slow.
    (root / "filler").write_bytes(os.urandom(4 << 20))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source.resolve(), target)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    directory = tmp_path_factory.mktemp("image")
    _fill_root(directory / "root")
    subprocess.run(["tar", "-C", directory / "root", "-cf", directory / "root.tar", "."], check=True)
    podman("import", "--quiet", f"--change=CMD {_FOREVER}", str(directory / "root.tar"), "localhost/origin:1")
    named, nameless, docker = (directory / name for name in ("named", "nameless", "docker"))
    podman("save", "--quiet", "--format=oci-archive", f"--output={named}", "localhost/origin:1")
    image = podman("image", "inspect", "--format={{.Id}}", "localhost/origin:1")
    podman("save", "--quiet", "--format=oci-archive", f"--output={nameless}", image)
    podman("save", "--quiet", "--format=docker-archive", f"--output={docker}", "localhost/origin:1")
    podman("rmi", "--all", "--force")
    (archived,) = archived_images(str(named))
    assert archived_images(str(nameless)) == (ArchivedImage(archived.digest, ""),)
    return Archives(named, nameless, docker, archived.digest)


@pytest.fixture(scope="session")
def registry(archives: Archives, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serve(Registry(archives.named)) as registry:
        configuration = tmp_path_factory.mktemp("registries") / "registries.conf"
        configuration.write_text(f'[[registry]]\nlocation = "{registry.address}"\ninsecure = true\n')
        os.environ["CONTAINERS_REGISTRIES_CONF"] = str(configuration)
        yield registry


@pytest.fixture(scope="session")
def engine(registry: Registry) -> Iterator[PodmanEngine]:
    with podman_engine(Files(), Processes(), Clock(), {}) as engine:
        yield engine


@pytest.fixture
def ports(engine: PodmanEngine, tmp_path: Path) -> Iterator[Ports]:
    yield Ports(engine, str(tmp_path))
    podman("rm", "--all", "--force", "--time=0")
    podman("rmi", "--all", "--force")


@pytest.fixture
def slow(registry: Registry) -> Iterator[Registry]:
    registry.delay = 0.05
    yield registry
    registry.delay = 0.0


@pytest.fixture
def reference(archives: Archives, ports: Ports) -> str:
    """Return the reference of an image that is on the host."""
    reference = f"localhost/origin@{archives.digest}"
    ports.engine.load(str(archives.named), reference, no_progress)
    return reference


def box(reference: str, **values: Any) -> ContainerSpec:
    return ContainerSpec(
        **{"name": "box", "image": reference, "description": "Box", "stop_timeout": 1, **values}
    )


def record(before: dict[str, Any], **outputs: Any) -> UndoRecord:
    return UndoRecord(before, (), outputs)
