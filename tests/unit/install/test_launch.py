"""Step `launch`: units with systemd, plain containers without; refused if the host is not ready."""

import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mstunnel_setup import __version__
from mstunnel_setup.actions.files import WriteJson
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, ExitCode
from mstunnel_setup.base.values import output
from mstunnel_setup.containers.choice import EngineChoice, RunMethod
from mstunnel_setup.containers.container_spec import CONFIGURATION_LABEL, digest_tag
from mstunnel_setup.containers.engine import ContainerState, Image
from mstunnel_setup.containers.engine_options import EngineName
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import launch
from tests.unit.install.scenes import (
    AGENT_IMAGE,
    IMAGES,
    OSAKA,
    SERVER_IMAGE,
    Scene,
    configuration,
    container,
)


@pytest.fixture(autouse=True)
def ready(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Prepare a host with a tunnel device and the pids controller that has joined a site."""
    for name, content in (("_TUN", ""), ("_CONTROLLERS", "cpu memory pids\n")):
        (tmp_path / name).write_text(content)
        monkeypatch.setattr(launch, name, str(tmp_path / name))
    monkeypatch.setattr(launch, "_PIDS", str(tmp_path / "of cgroup v1"))
    scene.join(OSAKA)
    with socket.create_server(("127.0.0.1", 0)) as free:
        scene.graph.configuration = configuration(free.getsockname()[1])


@pytest.fixture
def taken(scene: Scene) -> Iterator[int]:
    """Listen on the configured port as another program would; yield the port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        scene.graph.configuration = configuration(port)
        yield port


def _opened(scene: Scene) -> Run:
    return scene.opened(**IMAGES)


def _refused(run: Run) -> CheckError:
    with pytest.raises(CheckError) as caught:
        launch.STEP.gather(run)
    assert caught.value.exit_code is ExitCode.CHECK
    return caught.value


@pytest.mark.parametrize(
    ("why", "engine", "run_method"),
    [
        ("", "podman", RunMethod.QUADLET),
        ("", "docker", RunMethod.UNIT),
        ("cgroup v1", "podman", RunMethod.UNIT),
        ("installed with a unit", "podman", RunMethod.UNIT),
        ("no systemd", "podman", RunMethod.ENGINE),
        ("no systemd", "docker", RunMethod.ENGINE),
    ],
)
def test_the_host_decides_how_the_containers_are_run(
    scene: Scene, tmp_path: Path, why: str, engine: EngineName, run_method: RunMethod
) -> None:
    """The result of each run method is covered by the recorded decisions."""
    scene.chosen = EngineChoice(engine, "26.1.5" if engine == "docker" else "5.4.2", "")
    scene.systemd.runs = why != "no systemd"
    if why == "cgroup v1":
        (tmp_path / "_CONTROLLERS").unlink()
    if why == "installed with a unit":
        unit = {"kind": "install-unit", "path": "/etc/systemd/system/x", "text": ""}
        scene.finished(unit, "unit:/etc/x", {})
    launched = launch.STEP.gather(_opened(scene))
    assert (launched.run_method, launched.engine) == (run_method, engine)
    starts = "mst-cli server start" if engine == "podman" else "have the init system start it"
    assert [starts in said for said in scene.prompter.said] == [True] * (why == "no systemd")


def test_an_image_that_docker_has_loaded_runs_by_its_local_name(scene: Scene) -> None:
    scene.chosen = EngineChoice("docker", "26.1.5", "the only engine installed")
    tag = digest_tag(SERVER_IMAGE)
    scene.engine.images = {
        SERVER_IMAGE: Image(tag, "sha256:" + "a" * 64, "id"),
        AGENT_IMAGE: Image(AGENT_IMAGE, "sha256:" + "b" * 64, "id"),
    }
    server, agent = launch.STEP.gather(_opened(scene)).specifications
    assert (server.image, server.local_image) == (SERVER_IMAGE, tag)
    assert (agent.image, agent.local_image) == (AGENT_IMAGE, AGENT_IMAGE)


def test_running_versions_use_the_vendors_field_names(scene: Scene) -> None:
    built = datetime(2026, 11, 1, 12, tzinfo=UTC)
    scene.engine.images = {SERVER_IMAGE: Image(SERVER_IMAGE, "sha256:" + "a" * 64, "id", built)}
    actions = launch.STEP.decide(launch.STEP.gather(_opened(scene)))
    (written,) = (each for each in actions if isinstance(each, WriteJson) and each.path == paths.VERSION_INFO)
    assert written.value == {
        "ConfigVersion": __version__,
        "DockerVersion": scene.engine.version(),
        "ServerImageHash": SERVER_IMAGE.rpartition("@")[2],
        "AgentImageHash": AGENT_IMAGE.rpartition("@")[2],
        # Times are in ISO 8601; the pull will supply the time of an image that is not pulled yet.
        "ServerCreateDate": "2026-11-01T12:00:00+00:00",
        "AgentCreateDate": output(f"image:{AGENT_IMAGE}", "created"),
    }


def test_the_server_may_use_the_tunnel_and_nothing_more(scene: Scene) -> None:
    server, agent = launch.STEP.gather(_opened(scene)).specifications
    assert server.devices == ("/dev/net/tun",)
    # Besides the tunnel, the capabilities only serve to run workers as another user and to end them.
    assert server.capabilities == ("NET_ADMIN", "CHOWN", "KILL", "SETGID", "SETUID")
    assert (server.user, server.group) == (0, 0)
    data_only = ("noexec", "nosuid", "nodev", "z")
    assert [(volume.container, volume.options) for volume in server.volumes] == [
        (paths.CONFIGURATION, ("ro", *data_only)),
        (paths.SERVER_STATE_INSIDE, data_only),
    ]
    assert {volume.options for volume in agent.volumes} == {("ro", *data_only), data_only}
    assert (paths.SERVER_STATE_INSIDE, ("ro", *data_only)) in [
        (volume.container, volume.options) for volume in agent.volumes
    ]
    assert (agent.capabilities, agent.devices, agent.ports) == ((), (), ())


def test_gateway_gets_configured_port_and_paths_below_the_root(scene: Scene) -> None:
    port = scene.graph.configuration.listen_port  # type: ignore[union-attr]
    server, _ = launch.STEP.gather(_opened(scene)).specifications
    assert [(item.host, item.container, item.protocol) for item in server.ports] == [
        (port, port, "tcp"),
        (port, port, "udp"),
    ]
    mounted = server.volumes[0]
    assert (mounted.host, mounted.container) == (str(scene.root / "etc/mstunnel"), "/etc/mstunnel")


@pytest.mark.parametrize(
    ("controllers", "cgroup_v1", "limits"),
    [("memory pids", False, [10_000, 100]), ("memory", False, [None, None]), ("memory", True, [10_000, 100])],
)
def test_processes_are_limited_where_the_kernel_can(
    scene: Scene, tmp_path: Path, *, controllers: str, cgroup_v1: bool, limits: list[int | None]
) -> None:
    (tmp_path / "_CONTROLLERS").write_text(f"{controllers}\n")
    if cgroup_v1:
        (tmp_path / "of cgroup v1").mkdir()
    assert [spec.pids_limit for spec in launch.STEP.gather(_opened(scene)).specifications] == limits


def test_only_a_changed_env_sh_or_image_restarts(scene: Scene) -> None:
    def labels() -> list[str]:
        gathered = launch.STEP.gather(_opened(scene)).specifications
        return [specification.labels[CONFIGURATION_LABEL] for specification in gathered]

    before = labels()
    assert labels() == before
    scene.write(paths.ENVIRONMENT, "DEBUG_LEVEL=3\n")
    after = labels()
    assert before[0] != after[0]
    assert before[1] != after[1]


def test_without_tunnel_device_nothing_is_started(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "_TUN", "/nowhere/tun")
    error = _refused(_opened(scene))
    assert (error.code, error.hint) == ("tun-missing", "Load the module: `modprobe tun`.")


@pytest.mark.parametrize(
    "other", [None, container("exited", None), container(ours=False)], ids=["none", "stopped", "not ours"]
)
def test_only_our_own_running_server_may_hold_the_port(
    scene: Scene, taken: int, other: ContainerState | None
) -> None:
    if other is not None:
        scene.engine.containers["mstunnel-server"] = other
    error = _refused(_opened(scene))
    assert error.code == "port-in-use"
    assert f"port {taken}" in error.message
    assert "tcp 127.0.0.1" in error.message
    scene.engine.containers["mstunnel-server"] = container()
    assert launch.STEP.gather(_opened(scene)).specifications[0].ports[0].host == taken


@pytest.mark.usefixtures("taken")
def test_an_administrator_may_ignore_a_check_by_its_id(scene: Scene) -> None:
    run = replace(_opened(scene), request=InstallRequest(ignored_checks=("port-in-use",)))
    launch.STEP.gather(run)
    assert scene.prompter.said[0].startswith("Ignored (--ignore-check): port ")
    assert (
        _refused(replace(run, request=InstallRequest(ignored_checks=("tun-missing",)))).code == "port-in-use"
    )


@pytest.mark.parametrize(
    ("sends_with", "installed", "chosen"),
    [
        (b"cubic\n", {"pasta", "slirp4netns"}, "pasta"),
        (b"bbr\n", {"pasta", "slirp4netns"}, "slirp4netns:port_handler=slirp4netns,mtu=1500"),
        (b"bbr\n", {"pasta"}, "pasta"),
        (b"cubic\n", {"slirp4netns"}, "slirp4netns:port_handler=slirp4netns,mtu=1500"),
    ],
)
def test_without_an_uplink_the_faster_network_program_is_used(
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
    *,
    sends_with: bytes,
    installed: set[str],
    chosen: str,
) -> None:
    control = scene.root / "congestion-control"
    control.write_bytes(sends_with)
    monkeypatch.setattr(launch, "_CONGESTION_CONTROL", str(control))
    monkeypatch.setattr(scene.processes, "find", lambda name: name if name in installed else None)
    assert launch.network(scene.files, scene.processes) == chosen
