"""The engine with real Podman. Collected by `test_podman.py`, inside a testbed."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from registry import Registry, serve  # type: ignore[import-not-found]

from mstunnel_setup.containers.actions import RunContainer
from mstunnel_setup.containers.archive import Archived, archived_images
from mstunnel_setup.containers.engine import ContainerEngine, LogOptions, no_progress
from mstunnel_setup.containers.image_actions import LoadImage, PullImage
from mstunnel_setup.containers.podman import PodmanEngine
from mstunnel_setup.containers.podman_service import podman_engine
from mstunnel_setup.containers.spec import ContainerSpec, HealthCheck, Tmpfs, Volume
from mstunnel_setup.containers.systemd import Systemd
from mstunnel_setup.engine.action import Undo, UndoRecord
from mstunnel_setup.errors import EngineError
from mstunnel_setup.host.clock import SystemClock
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.process import Processes

pytestmark = pytest.mark.podman

_PROGRAMS = ("sh", "sleep", "cat", "env", "test", "ls", "id")
_FOREVER = "trap 'exit 0' TERM; echo started; while :; do sleep 0.1; done"


@dataclass
class World:
    engine: ContainerEngine
    state_directory: str
    files: Files = field(default_factory=Files)
    processes: Processes = field(default_factory=Processes)
    clock: SystemClock = field(default_factory=SystemClock)
    fetched: list[tuple[int, int]] = field(default_factory=list)

    @property
    def systemd(self) -> Systemd:
        return Systemd(self.processes)

    def progress(self, done: int, known: int) -> None:
        self.fetched.append((done, known))


@dataclass(frozen=True)
class Archives:
    """The same image three times: with a name, without one, and in Docker's format."""

    named: Path
    nameless: Path
    docker: Path
    digest: str


def _podman(*arguments: str) -> str:
    return subprocess.run(["podman", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def _fill_root(root: Path) -> None:
    """The smallest system that runs `_PROGRAMS`: those of this machine, and the libraries they need."""
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
    # Enough that does not compress, so that a slow registry is slow.
    (root / "filler").write_bytes(os.urandom(4 << 20))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source.resolve(), target)


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Archives:
    folder = tmp_path_factory.mktemp("image")
    _fill_root(folder / "root")
    subprocess.run(["tar", "-C", folder / "root", "-cf", folder / "root.tar", "."], check=True)
    _podman("import", "--quiet", f"--change=CMD {_FOREVER}", str(folder / "root.tar"), "localhost/origin:1")
    named, nameless, docker = (folder / name for name in ("named", "nameless", "docker"))
    _podman("save", "--quiet", "--format=oci-archive", f"--output={named}", "localhost/origin:1")
    image = _podman("image", "inspect", "--format={{.Id}}", "localhost/origin:1")
    _podman("save", "--quiet", "--format=oci-archive", f"--output={nameless}", image)
    _podman("save", "--quiet", "--format=docker-archive", f"--output={docker}", "localhost/origin:1")
    _podman("rmi", "--all", "--force")
    (archived,) = archived_images(str(named))
    assert archived_images(str(nameless)) == (Archived(archived.digest, ""),)
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
    with podman_engine(Files(), Processes(), SystemClock(), {}) as engine:
        yield engine


@pytest.fixture
def world(engine: PodmanEngine, tmp_path: Path) -> Iterator[World]:
    yield World(engine, str(tmp_path))
    _podman("rm", "--all", "--force", "--time=0")
    _podman("rmi", "--all", "--force")


@pytest.fixture
def slow(registry: Registry) -> Iterator[Registry]:
    registry.delay = 0.05
    yield registry
    registry.delay = 0.0


@pytest.fixture
def reference(archives: Archives, world: World) -> str:
    """An image that is here."""
    world.engine.load(str(archives.named))
    return f"localhost/origin@{archives.digest}"


def _spec(reference: str, **values: Any) -> ContainerSpec:
    return ContainerSpec(
        **{"name": "box", "image": reference, "description": "Box", "stop_timeout": 1, **values}
    )


def _record(before: dict[str, Any], **outputs: Any) -> UndoRecord[Any]:
    return UndoRecord(before, (), outputs)


# --- the service ------------------------------------------------------------------------------------------


def test_our_own_service_ends_with_the_block() -> None:
    with podman_engine(Files(), Processes(), SystemClock(), {}) as engine:
        assert engine.version().split(".")[0].isdecimal()
        sockets = list(Path("/run/mstunnel").glob("podman-*.sock"))
        assert sockets
    # The session-wide engine of these tests uses the same name, so it is the answer that counts.
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(OSError):  # noqa: PT011
        client.connect(str(sockets[0]))


def test_a_service_that_does_not_answer_is_named() -> None:
    environment = {"CONTAINER_HOST": "unix:///run/nobody.sock"}
    with (
        pytest.raises(EngineError, match="nobody") as caught,
        podman_engine(Files(), Processes(), SystemClock(), environment),
    ):
        pass
    assert caught.value.code == "engine-not-running"


def test_without_podman_the_engine_is_missing() -> None:
    class Nothing(Processes):
        def find(self, program: str) -> str | None:
            return None

    with pytest.raises(EngineError) as caught, podman_engine(Files(), Nothing(), SystemClock(), {}):
        pass
    assert caught.value.code == "engine-missing"


def test_a_chosen_service_is_used_for_everything(reference: str) -> None:
    # Short, and in a testbed private: socket paths end at 107 bytes.
    path = Path("/run/chosen.sock")
    address = f"unix://{path}"
    service = Processes().start(["podman", "system", "service", "--time=0", address])
    try:
        while not path.exists():
            time.sleep(0.05)
        with podman_engine(Files(), Processes(), SystemClock(), {"CONTAINER_HOST": address}) as engine:
            assert engine.run_once(reference, ("sh", "-c", "exit 3"), (), 20).code == 3
            assert engine.logs_command("x", LogOptions()) == ("podman", "--url", address, "logs", "x")
    finally:
        service.terminate()
        service.wait()


# --- images -----------------------------------------------------------------------------------------------


def test_pull_by_digest_shows_progress_and_is_undone(
    world: World, slow: Registry, archives: Archives
) -> None:
    action = PullImage(reference=f"{slow.address}/server@{archives.digest}")
    before = action.capture(world)
    assert not action.satisfied(world, {})
    action.apply(world, {})
    assert action.satisfied(world, {})
    assert len(world.fetched) > 2
    assert world.fetched == sorted(world.fetched)
    done, known = world.fetched[-1]
    assert 4 << 20 < done == known
    assert action.undo(world, _record(before)).outcome is Undo.REMOVED
    assert action.undo(world, _record(before)).outcome is Undo.ABSENT
    assert _podman("images", "--quiet") == ""


def test_a_pull_ends_at_its_deadline(world: World, slow: Registry, archives: Archives) -> None:
    started = time.monotonic()
    with pytest.raises(EngineError, match="time") as caught:
        world.engine.pull(f"{slow.address}/server@{archives.digest}", 1.0, no_progress)
    assert caught.value.code == "image-pull-failed"
    assert time.monotonic() - started < 2.5


def test_an_unknown_image_is_an_error_with_a_hint(world: World, registry: Registry) -> None:
    with pytest.raises(EngineError, match="manifest unknown") as caught:
        world.engine.pull(f"{registry.address}/other@sha256:{'0' * 64}", 20.0, no_progress)
    assert (caught.value.code, caught.value.hint) == (
        "image-pull-failed",
        "Check name and digest of the image.",
    )


def test_a_registry_that_lies_about_the_digest_is_caught(
    world: World, registry: Registry, archives: Archives
) -> None:
    wrong = f"sha256:{'1' * 64}"
    registry.blobs[wrong] = registry.blobs[archives.digest]
    with pytest.raises(EngineError, match="cannot fetch"):
        world.engine.pull(f"{registry.address}/server@{wrong}", 20.0, no_progress)
    assert _podman("images", "--quiet") == ""


def test_a_pull_that_was_killed_can_be_repeated(world: World, slow: Registry, archives: Archives) -> None:
    reference = f"{slow.address}/server@{archives.digest}"
    puller = Processes().start(["podman", "pull", reference])
    time.sleep(1)
    puller.send_signal(signal.SIGKILL)
    puller.wait()
    slow.delay = 0
    assert world.engine.image(reference) is None
    assert world.engine.pull(reference, 30.0, no_progress).digest == archives.digest


@pytest.mark.parametrize("archive", ["named", "nameless"])
def test_a_loaded_image_answers_to_the_reference(world: World, archives: Archives, archive: str) -> None:
    reference = f"registry.example/tunnel/server@{archives.digest}"
    action = LoadImage(archive=str(getattr(archives, archive)), reference=reference)
    before = action.capture(world)
    action.apply(world, {})
    assert action.satisfied(world, {})
    assert action.apply(world, {})
    assert world.engine.run_once(reference, ("sh", "-c", "exit 7"), (), 20).code == 7
    assert action.undo(world, _record(before)).outcome is Undo.REMOVED
    assert _podman("images", "--quiet") == ""


def test_a_docker_archive_is_refused_before_it_is_loaded(world: World, archives: Archives) -> None:
    action = LoadImage(archive=str(archives.docker), reference=f"localhost/origin@{archives.digest}")
    with pytest.raises(EngineError, match="OCI format") as caught:
        action.apply(world, {})
    assert "--format oci-archive" in caught.value.hint
    assert _podman("images", "--quiet") == ""


def test_podman_changes_the_digest_of_a_docker_archive(world: World, archives: Archives) -> None:
    """The reason why the format is refused."""
    (image,) = world.engine.load(str(archives.docker))
    assert image.digest != archives.digest


def test_a_broken_archive_is_an_error(world: World, tmp_path: Path) -> None:
    (tmp_path / "broken").write_bytes(b"no archive")
    with pytest.raises(EngineError) as caught:
        world.engine.load(str(tmp_path / "broken"))
    assert caught.value.code == "image-load-failed"


def test_an_image_in_use_is_kept(world: World, reference: str) -> None:
    _podman("create", "--name=other", reference)
    undone = PullImage(reference=reference).undo(world, _record({"present": False}))
    assert undone.outcome is Undo.KEPT
    assert "not ours" in undone.reason


# --- containers -------------------------------------------------------------------------------------------


def test_a_container_is_made_as_specified(world: World, reference: str, tmp_path: Path) -> None:
    (tmp_path / "env").write_text("GREETING=hello world $HOME\n")
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b/file").write_text("content")
    spec = _spec(
        reference,
        environment_files=(str(tmp_path / "env"),),
        volumes=(Volume(host=str(tmp_path / "a b"), container="/d d", options=("ro",)),),
        tmpfs=(Tmpfs(path="/scratch", options=("size=1m",)),),
        capabilities=("NET_ADMIN",),
        sysctls={"net.ipv4.ip_forward": "1"},
        labels={"org.mstunnel.configuration": "1 \"2\" '3' $4 %n"},
    )
    action = RunContainer(spec=spec)
    assert not action.satisfied(world, {})
    action.apply(world, {})
    assert action.satisfied(world, {})
    state = world.engine.inspect("box")
    assert state
    assert (state.status, state.health, state.ours) == ("running", None, True)
    assert state.labels["org.mstunnel.configuration"] == "1 \"2\" '3' $4 %n"
    assert f"localhost/origin@{state.image_digest}" == reference
    script = 'echo "$GREETING"; cat "/d d/file" /proc/sys/net/ipv4/ip_forward; echo x >/x || exit 5'
    done = world.engine.execute("box", ("sh", "-c", script), 20)
    assert (done.code, done.output) == (5, "hello world $HOME\ncontent1\n")
    assert "Read-only" in done.error
    capabilities = world.engine.execute("box", ("cat", "/proc/1/status"), 20).output
    assert "CapBnd:\t0000000000001000" in capabilities
    assert action.undo(world, _record({})).outcome is Undo.REMOVED
    assert action.undo(world, _record({})).outcome is Undo.ABSENT


def test_an_older_configuration_is_replaced(world: World, reference: str) -> None:
    for digest in ("old", "new"):
        RunContainer(spec=_spec(reference, labels={"org.mstunnel.configuration": digest})).apply(world, {})
    state = world.engine.inspect("box")
    assert state
    assert state.labels["org.mstunnel.configuration"] == "new"


def test_a_container_created_but_not_started_is_no_obstacle(world: World, reference: str) -> None:
    spec = _spec(reference)
    world.engine.create(spec)
    action = RunContainer(spec=spec)
    assert not action.satisfied(world, {})
    action.apply(world, {})
    assert action.satisfied(world, {})


def test_a_foreign_container_is_left_alone(world: World, reference: str) -> None:
    _podman("run", "--detach", "--name=box", "--network=none", reference)
    action = RunContainer(spec=_spec(reference))
    with pytest.raises(EngineError) as caught:
        action.apply(world, {})
    assert caught.value.code == "container-foreign"
    assert action.undo(world, _record({})).outcome is Undo.KEPT


def test_health_is_checked_without_systemd(world: World, reference: str) -> None:
    health = HealthCheck(command=("test", "-d", "/tmp"), interval=1)
    RunContainer(spec=_spec(reference, health=health)).apply(world, {})
    state = world.engine.inspect("box")
    assert state
    assert state.health == "healthy"
    assert world.engine.probe("box")


def test_an_unhealthy_container_fails_with_its_last_words(world: World, reference: str) -> None:
    health = HealthCheck(command=("test", "-e", "/no such file"), interval=1, retries=2)
    with pytest.raises(EngineError, match=r"unhealthy.*\n  started") as caught:
        RunContainer(spec=_spec(reference, health=health)).apply(world, {})
    assert caught.value.code == "container-failed"


def test_podman_restarts_a_container_that_dies(world: World, reference: str) -> None:
    RunContainer(spec=_spec(reference)).apply(world, {})
    pid = _podman("inspect", "--format={{.State.Pid}}", "box")
    os.kill(int(pid), signal.SIGKILL)
    until = time.monotonic() + 10
    while time.monotonic() < until and _podman("inspect", "--format={{.State.Pid}}", "box") in (pid, "0"):
        time.sleep(0.1)
    state = world.engine.inspect("box")
    assert state
    assert state.status == "running"


def test_stop_start_restart(world: World, reference: str) -> None:
    RunContainer(spec=_spec(reference)).apply(world, {})
    world.engine.stop("box")
    stopped = world.engine.inspect("box")
    world.engine.start("box")
    world.engine.restart("box")
    running = world.engine.inspect("box")
    assert stopped
    assert stopped.status == "exited"
    assert running
    assert running.status == "running"
    with pytest.raises(EngineError, match="no container"):
        world.engine.start("nobody")


def test_a_missing_image_fails_without_asking_a_registry(world: World) -> None:
    with pytest.raises(EngineError, match="image not known") as caught:
        world.engine.create(_spec(f"localhost/nothing@sha256:{'2' * 64}"))
    assert caught.value.code == "container-failed"


def test_one_command_has_no_network_and_leaves_nothing(world: World, reference: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("seen")
    volumes = (Volume(host=str(tmp_path), container="/input", options=("ro",)),)
    done = world.engine.run_once(
        reference, ("sh", "-c", "cat /input/file; echo; ls /sys/class/net"), volumes, 20
    )
    assert (done.code, done.output.split()) == (0, ["seen", "lo"])
    assert _podman("ps", "--all", "--quiet") == ""


def test_one_command_that_hangs_is_ended(world: World, reference: str) -> None:
    with pytest.raises(EngineError) as caught:
        world.engine.run_once(reference, ("sleep", "100"), (), 2)
    assert caught.value.code == "container-timeout"
    assert _podman("ps", "--all", "--quiet") == ""


def test_the_log_can_be_shown(world: World, reference: str) -> None:
    RunContainer(spec=_spec(reference)).apply(world, {})
    command = world.engine.logs_command("box", LogOptions(lines=5))
    assert Processes().run(command, timeout=10).output == "started\n"
    assert world.engine.logs_command("box", LogOptions(follow=True)) == ("podman", "logs", "--follow", "box")
