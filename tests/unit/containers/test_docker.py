"""Docker with a daemon for tests and a recorded command line; test_hosts.py has real Docker."""

import gc
import json
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mstunnel_setup.actions.containers import LoadImage
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.container_spec import ContainerSpec, HealthCheck, Volume, digest_tag
from mstunnel_setup.containers.docker import DockerEngine, docker_engine
from mstunnel_setup.containers.engine import ContainerEngine, LogOptions
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.transaction.action import Undo
from tests.archives import digest_of, write_archive
from tests.refusals import refused
from tests.unit.containers.docker_daemon import Daemon, serve
from tests.unit.containers.memory import Installed, undo
from tests.unit.fakes import no_progress

# The SDK leaves the socket of a partly read response to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

DIGEST = "sha256:" + "ab" * 32
IMAGE = f"registry.example/server@{DIGEST}"


class Docker(Processes):
    """Docker's command line, which prints `output` and exits with `code`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, ...]] = []
        self.code = 0
        self.hangs = False

    def find(self, program: str) -> str | None:
        return f"/usr/bin/{program}"

    def run(self, arguments: Sequence[str], **_options: Any) -> Completed:
        self.calls.append(tuple(arguments))
        if self.hangs:
            raise ProcessError("program-timeout", "docker did not finish")
        return Completed(self.code, "out", "err")


@pytest.fixture
def daemon() -> Daemon:
    return Daemon()


@pytest.fixture
def address(daemon: Daemon, tmp_path: Path) -> Iterator[str]:
    with serve(daemon, tmp_path / "docker.sock") as address:
        yield address


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """Collect garbage before the tests of another file."""
    yield
    gc.collect()


@pytest.fixture
def docker() -> Docker:
    return Docker()


@pytest.fixture
def engine(address: str, docker: Docker) -> Iterator[DockerEngine]:
    with docker_engine(docker, Clock(), {"DOCKER_HOST": address}) as engine:
        yield engine


def _refused(environment: dict[str, str], processes: Processes | None = None) -> EngineError:
    with (
        pytest.raises(EngineError) as caught,
        docker_engine(processes or Docker(), Clock(), environment),
    ):
        pass
    return caught.value


# --- the daemon -------------------------------------------------------------------------------------------


def test_the_daemon_reports_its_version(engine: ContainerEngine) -> None:
    assert engine.version() == "26.1.5"


@pytest.mark.parametrize(
    ("component", "options", "why"),
    [
        ("Engine", ["name=userns"], "cannot read /etc/mstunnel/private"),
        ("Engine", ["name=seccomp,profile=builtin", "name=rootless"], "without root"),
        ("Podman Engine", [], "podman-docker"),
    ],
)
def test_unusable_daemon_is_refused_with_the_reason(
    daemon: Daemon, address: str, component: str, options: list[str], why: str
) -> None:
    daemon.version["Components"], daemon.security = [{"Name": component}], options
    error = _refused({"DOCKER_HOST": address})
    assert error.code == "engine-unfit"
    assert why in error.message


def test_installation_can_use_a_daemon_that_became_unusable(daemon: Daemon, address: str) -> None:
    daemon.security = ["name=userns"]
    with docker_engine(Docker(), Clock(), {"DOCKER_HOST": address}, strict=False) as engine:
        assert engine.inspect("nobody") is None


def test_another_machine_is_refused() -> None:
    assert "another machine" in _refused({"DOCKER_HOST": "tcp://192.0.2.1:2375"}).message


def test_stopped_daemon_is_reported(tmp_path: Path) -> None:
    error = _refused({"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"})
    assert error.code == "engine-not-running"
    assert "systemctl start docker" in error.hint


def test_silent_daemon_times_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mstunnel_setup.containers.docker._FIRST_TIMEOUT", 0.3)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "silent.sock"))
        silent.listen()
        started = time.monotonic()
        assert _refused({"DOCKER_HOST": f"unix://{tmp_path}/silent.sock"}).code == "engine-not-running"
        assert time.monotonic() - started < 20


def test_without_its_command_line_docker_is_missing() -> None:
    assert _refused({}, Installed()).code == "engine-missing"


# --- images -----------------------------------------------------------------------------------------------


def _layer(status: str, done: int) -> dict[str, Any]:
    return {"id": "layer", "status": status, "progressDetail": {"current": done, "total": 10}}


def test_a_pull_shows_progress_that_never_decreases(engine: ContainerEngine, daemon: Daemon) -> None:
    daemon.registry[IMAGE] = "id"
    daemon.report = [_layer("Downloading", 4), _layer("Downloading", 10), _layer("Extracting", 1)]
    seen: list[tuple[int, int]] = []
    image = engine.pull(IMAGE, 10, lambda done, known: seen.append((done, known)))
    assert (image.name, image.digest, image.id) == (IMAGE, DIGEST, "id")
    assert seen == [(4, 10), (10, 10)]


def test_a_pull_ends_at_its_deadline(engine: ContainerEngine, daemon: Daemon) -> None:
    daemon.report, daemon.delay = [_layer("Downloading", 1)] * 200, 0.2
    started = time.monotonic()
    with refused(EngineError, "image-pull-failed", match="time"):
        engine.pull(IMAGE, 1, no_progress)
    assert time.monotonic() - started < 8


def test_a_successful_pull_without_the_image_is_an_error(engine: ContainerEngine, daemon: Daemon) -> None:
    daemon.report = [{"status": "Status: Downloaded newer image"}]
    with refused(EngineError, "image-not-pulled"):
        engine.pull(IMAGE, 5, no_progress)


def test_refusal_of_the_registry_has_a_hint_for_docker(engine: ContainerEngine, daemon: Daemon) -> None:
    daemon.report = [{"error": "unauthorized: authentication required"}]
    with pytest.raises(EngineError) as caught:
        engine.pull(IMAGE, 5, no_progress)
    assert caught.value.hint == "Sign in to the registry with `docker login`."


def test_an_image_in_use_is_kept(engine: ContainerEngine, daemon: Daemon) -> None:
    daemon.images[IMAGE] = "id"
    daemon.in_use.add(IMAGE)
    assert not engine.remove_image(IMAGE)
    daemon.in_use.clear()
    assert engine.remove_image(IMAGE)
    assert engine.remove_image(IMAGE)
    assert engine.image(IMAGE) is None


# --- archives ---------------------------------------------------------------------------------------------


def _archive(path: Path, *, name: str = "localhost/other:1", spoiled: str = "") -> tuple[str, str]:
    """Write an OCI archive, with a damaged `manifest` or `configuration`; return the digests of both."""
    filesystem, settings = b"layer" * 500, b"{}"
    layer, config = digest_of(filesystem), digest_of(settings)
    manifest = json.dumps(
        {
            "config": {"digest": config, "size": len(settings)},
            "layers": [{"digest": layer, "size": len(filesystem)}],
        }
    ).encode()
    digest = digest_of(manifest)
    index = {"manifests": [{"digest": digest, "annotations": {"org.opencontainers.image.ref.name": name}}]}
    blobs = {layer: filesystem, config: settings, digest: manifest}
    if spoiled:
        blobs[digest if spoiled == "manifest" else config] += b" "
    files = {f"blobs/{name.replace(':', '/')}": content for name, content in blobs.items()}
    write_archive(path, {**files, "index.json": json.dumps(index).encode()})
    return digest, config


def test_archive_is_loaded_named_by_digest_and_removed(
    engine: ContainerEngine, daemon: Daemon, tmp_path: Path
) -> None:
    digest, config = _archive(tmp_path / "images.tar")
    action = LoadImage(archive=str(tmp_path / "images.tar"), reference=f"registry.example/server@{digest}")
    moved: list[tuple[int, ...]] = []
    ports: Any = SimpleNamespace(engine=engine, progress=lambda *bytes_of: moved.append(bytes_of))
    before = action.capture(ports)
    built = "2026-03-01T10:00:00.500000+00:00"
    assert action.apply(ports, {}) == {"id": config, "created": built}
    assert daemon.loaded[0]["RepoTags"] == [digest_tag(action.reference)]
    size = (tmp_path / "images.tar").stat().st_size
    assert moved[-1] == (size, size)
    assert action.satisfied(ports, {})
    found = engine.image(action.reference)
    assert found is not None
    assert (found.name, found.digest, found.id) == (digest_tag(action.reference), digest, config)
    assert undo(ports, action, before).outcome is Undo.REMOVED
    assert set(daemon.images) == {config}


@pytest.mark.parametrize("spoiled", ["manifest", "configuration"])
def test_a_damaged_archive_is_not_loaded(
    engine: ContainerEngine, daemon: Daemon, tmp_path: Path, spoiled: str
) -> None:
    digest, _ = _archive(tmp_path / "images.tar", spoiled=spoiled)
    with refused(EngineError, "image-archive-damaged"):
        engine.load(str(tmp_path / "images.tar"), f"registry.example/server@{digest}", no_progress)
    assert "POST /images/load" not in daemon.asked


def test_loaded_image_with_another_id_is_refused(
    engine: ContainerEngine, daemon: Daemon, tmp_path: Path
) -> None:
    digest, config = _archive(tmp_path / "images.tar")
    daemon.renamed[config] = "sha256:" + "cd" * 32
    reference = f"registry.example/server@{digest}"
    with refused(EngineError, "image-load-failed"):
        engine.load(str(tmp_path / "images.tar"), reference, no_progress)
    assert engine.image(reference) is None


# --- containers -------------------------------------------------------------------------------------------


def _container(**config: Any) -> dict[str, Any]:
    state = {"Status": "running", "Pid": 7, "StartedAt": "2026-03-01T10:00:00.123456789Z"}
    return {"State": state, "Config": {"Image": IMAGE, "Labels": {"org.mstunnel.managed": "1"}, **config}}


def test_the_state_of_a_container(engine: ContainerEngine, daemon: Daemon) -> None:
    daemon.containers["box"] = _container()
    daemon.containers["box"]["State"]["Health"] = {"Status": "starting"}
    daemon.containers["box"]["RestartCount"] = 2
    state = engine.inspect("box")
    assert state is not None
    assert (state.status, state.health, state.ours, state.image_digest) == (
        "running",
        "starting",
        True,
        DIGEST,
    )
    assert state.started_at is not None
    assert (state.process_id, state.restarts) == (7, 2)
    assert engine.inspect("nobody") is None


def test_the_digest_of_a_loaded_image_is_in_a_label(engine: ContainerEngine, daemon: Daemon) -> None:
    daemon.containers["box"] = _container(Image=digest_tag(IMAGE), Labels={"org.mstunnel.digest": DIGEST})
    state = engine.inspect("box")
    assert state is not None
    assert state.image_digest == DIGEST


def test_container_is_created_with_the_local_image_name(
    engine: ContainerEngine, daemon: Daemon, docker: Docker, address: str
) -> None:
    daemon.images[digest_tag(IMAGE)] = "id"
    health = HealthCheck(command=("test", "-e", "/a b"))
    engine.create(
        ContainerSpec(name="box", image=IMAGE, local_name=digest_tag(IMAGE), description="Box", health=health)
    )
    (call,) = docker.calls
    assert call[:4] == ("docker", "--host", address, "create")
    assert call[-1] == digest_tag(IMAGE)
    assert {"--restart=always", "--cap-drop=all", "--log-driver=local"} <= set(call)
    assert f"--label=org.mstunnel.digest={DIGEST}" in call
    assert "--health-cmd=test -e '/a b'" in call


def test_docker_never_pulls_a_missing_image(engine: ContainerEngine, docker: Docker) -> None:
    with pytest.raises(EngineError, match="is not on this host"):
        engine.create(ContainerSpec(name="box", image=IMAGE, description="Box"))
    with pytest.raises(EngineError, match="is not on this host"):
        engine.run_once(IMAGE, ("true",), (), 5)
    assert docker.calls == []


def test_stop_start_restart_remove(engine: ContainerEngine, daemon: Daemon) -> None:
    daemon.containers["box"] = _container()
    engine.stop("box")
    engine.stop("box")
    assert daemon.containers["box"]["State"]["Status"] == "exited"
    engine.start("box")
    engine.restart("box")
    assert daemon.containers["box"]["State"]["Status"] == "running"
    with pytest.raises(EngineError, match="No such container"):
        engine.start("nobody")
    engine.remove("box")
    engine.remove("box")
    assert daemon.containers == {}


@pytest.mark.parametrize(
    ("test", "command"),
    [
        (["CMD-SHELL", "check --all"], ("sh", "-c", "check --all")),
        (["CMD", "check", "all"], ("check", "all")),
    ],
)
def test_health_check_is_run_on_request(
    engine: ContainerEngine, daemon: Daemon, docker: Docker, test: list[str], command: tuple[str, ...]
) -> None:
    daemon.containers["box"] = _container(Healthcheck={"Test": test})
    assert engine.probe("box")
    assert docker.calls[-1][3:] == ("exec", "box", *command)
    docker.code = 1
    assert not engine.probe("box")


def test_container_without_a_health_check_is_not_healthy(engine: ContainerEngine, daemon: Daemon) -> None:
    daemon.containers["box"] = _container()
    assert not engine.probe("box")


def test_hanging_command_is_ended_by_docker(engine: ContainerEngine, daemon: Daemon, docker: Docker) -> None:
    daemon.images[IMAGE] = "id"
    docker.hangs = True
    volumes = (Volume(host="/a", container="/b", options=("ro",)),)
    with refused(EngineError, "container-timeout"):
        engine.run_once(IMAGE, ("sleep", "100"), volumes, 2)
    name = next(word for word in docker.calls[0] if word.startswith("--name=")).removeprefix("--name=")
    assert f"DELETE /containers/{name}" in daemon.asked


def test_exit_codes_of_docker_itself_are_errors(engine: ContainerEngine, docker: Docker) -> None:
    docker.code = 7
    assert engine.execute("box", ("false",), 5).code == 7
    docker.code = 125
    with pytest.raises(EngineError, match="err"):
        engine.execute("box", ("false",), 5)


def test_commands_for_a_shell_and_for_logs(engine: ContainerEngine, address: str) -> None:
    docker = ("docker", "--host", address)
    assert engine.execute_command("box", ("sh",)) == (*docker, "exec", "--interactive", "box", "sh")
    options = LogOptions(follow=True, lines=5, since="1h", timestamps=True)
    assert engine.logs_command("box", options) == (
        *docker, "logs", "--follow", "--tail=5", "--since=1h", "--timestamps", "box",
    )  # fmt: skip
