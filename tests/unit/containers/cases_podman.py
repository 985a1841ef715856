"""Service and containers with real Podman. Collected by `test_podman.py`, inside a testbed."""

import os
import signal
import socket
import threading
import time
from pathlib import Path

import pytest
from podman_fixtures import Ports, box, podman, record  # type: ignore[import-not-found]

from mstunnel_setup.actions.containers import RunContainer
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.container_spec import HealthCheck, Tmpfs, Volume
from mstunnel_setup.containers.engine import LogOptions
from mstunnel_setup.containers.podman import podman_engine
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.transaction.action import Undo
from tests.refusals import refused
from tests.unit.containers.memory import Installed

pytestmark = pytest.mark.podman


def test_own_podman_service_ends_with_the_block() -> None:
    with podman_engine(Files(), Processes(), Clock(), {}) as engine:
        assert engine.version() == podman("version", "--format", "{{.Server.Version}}")
        sockets = list(Path("/run/mstunnel").glob("podman-*.sock"))
        assert sockets
    # The session-wide engine of these tests has the same socket name, so the connection decides.
    with socket.socket(socket.AF_UNIX) as client, pytest.raises(OSError):  # noqa: PT011
        client.connect(str(sockets[0]))


def test_podman_service_that_does_not_respond_is_reported() -> None:
    environment = {"CONTAINER_HOST": "unix:///run/nobody.sock"}
    with (
        pytest.raises(EngineError, match="nobody") as caught,
        podman_engine(Files(), Processes(), Clock(), environment),
    ):
        pass
    assert caught.value.code == "engine-not-running"


def test_without_podman_the_engine_is_missing() -> None:
    with refused(EngineError, "engine-missing"), podman_engine(Files(), Installed(), Clock(), {}):
        pass


def test_configured_service_is_used_for_all_commands(reference: str) -> None:
    # The path of a socket has at most 107 bytes; in a testbed, this one is private.
    path = Path("/run/chosen.sock")
    address = f"unix://{path}"
    service = Processes().start(["podman", "system", "service", "--time=0", address])
    try:
        while not path.exists():
            time.sleep(0.05)
        with podman_engine(Files(), Processes(), Clock(), {"CONTAINER_HOST": address}) as engine:
            assert engine.run_once(reference, ("sh", "-c", "exit 3"), (), 20).code == 3
            assert engine.logs_command("x", LogOptions()) == ("podman", "--url", address, "logs", "x")
    finally:
        service.terminate()
        service.wait()


# --- containers -------------------------------------------------------------------------------------------


def test_container_has_its_specified_options(ports: Ports, reference: str, tmp_path: Path) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b/file").write_text("content")
    spec = box(
        reference,
        volumes=(Volume(host=str(tmp_path / "a b"), container="/d d", options=("ro",)),),
        tmpfs=(Tmpfs(path="/scratch", options=("size=1m",)),),
        capabilities=("NET_ADMIN",),
        sysctls={"net.ipv4.ip_forward": "1"},
        labels={"org.mstunnel.configuration": "1 \"2\" '3' $4 %n"},
    )
    action = RunContainer(spec=spec)
    assert not action.satisfied(ports, {})
    action.apply(ports, {})
    assert action.satisfied(ports, {})
    state = ports.engine.inspect("box")
    assert state
    assert (state.status, state.health, state.ours) == ("running", None, True)
    assert state.labels["org.mstunnel.configuration"] == "1 \"2\" '3' $4 %n"
    assert f"localhost/origin@{state.image_digest}" == reference
    script = 'cat "/d d/file" /proc/sys/net/ipv4/ip_forward; echo x >/x || exit 5'
    done = ports.engine.execute("box", ("sh", "-c", script), 20)
    assert (done.code, done.output) == (5, "content1\n")
    assert "Read-only" in done.error
    capabilities = ports.engine.execute("box", ("cat", "/proc/1/status"), 20).output
    assert "CapBnd:\t0000000000001000" in capabilities
    limits = ports.engine.execute("box", ("cat", "/proc/1/limits"), 20).output
    core = next(line for line in limits.splitlines() if line.startswith("Max core file size"))
    assert core.split()[-3:] == ["0", "0", "bytes"]
    assert action.undo(ports, record({})).outcome is Undo.REMOVED
    assert action.undo(ports, record({})).outcome is Undo.ABSENT


def test_foreign_container_is_not_changed(ports: Ports, reference: str) -> None:
    podman("run", "--detach", "--name=box", "--network=none", reference)
    action = RunContainer(spec=box(reference))
    with refused(EngineError, "container-foreign"):
        action.apply(ports, {})
    assert action.undo(ports, record({})).outcome is Undo.KEPT


def test_health_is_checked_without_systemd(ports: Ports, reference: str) -> None:
    health = HealthCheck(command=("test", "-d", "/tmp"), interval=1)
    RunContainer(spec=box(reference, health=health)).apply(ports, {})
    state = ports.engine.inspect("box")
    assert state
    assert state.health == "healthy"
    assert ports.engine.probe("box")


def test_an_unhealthy_container_fails_with_its_last_log_lines(ports: Ports, reference: str) -> None:
    health = HealthCheck(command=("test", "-e", "/no such file"), interval=1, retries=2)
    with refused(EngineError, "container-failed", match=r"unhealthy.*\n  started"):
        RunContainer(spec=box(reference, health=health), timeout=5).apply(ports, {})


def test_slow_start_of_a_container_is_awaited(ports: Ports, reference: str, tmp_path: Path) -> None:
    """Check a slow start: Podman counts our checks, one a second, and reports `unhealthy` after two."""
    health = HealthCheck(command=("test", "-e", "/begun/now"), retries=2)
    begins = threading.Timer(6, (tmp_path / "now").touch)
    begins.start()
    directory = Volume(host=str(tmp_path), container="/begun")
    RunContainer(spec=box(reference, health=health, volumes=(directory,))).apply(ports, {})
    begins.join()
    assert (tmp_path / "now").exists()


def test_container_that_ends_slowly_is_replaced(ports: Ports, reference: str) -> None:
    """Check a container whose parent reaps it only after Podman's time limit."""
    RunContainer(spec=box(reference)).apply(ports, {})
    conmon = int(podman("inspect", "--format={{.State.ConmonPid}}", "box"))
    os.kill(conmon, signal.SIGSTOP)
    goes_on = threading.Timer(8, os.kill, (conmon, signal.SIGCONT))
    goes_on.start()
    RunContainer(spec=box(reference)).apply(ports, {})
    goes_on.join()
    state = ports.engine.inspect("box")
    assert state
    assert state.status == "running"


def test_podman_restarts_a_container_that_dies(ports: Ports, reference: str) -> None:
    RunContainer(spec=box(reference)).apply(ports, {})
    pid = podman("inspect", "--format={{.State.Pid}}", "box")
    os.kill(int(pid), signal.SIGKILL)
    until = time.monotonic() + 10
    while time.monotonic() < until and podman("inspect", "--format={{.State.Pid}}", "box") in (pid, "0"):
        time.sleep(0.1)
    state = ports.engine.inspect("box")
    assert state
    assert state.status == "running"


def test_stop_start_restart(ports: Ports, reference: str) -> None:
    RunContainer(spec=box(reference)).apply(ports, {})
    ports.engine.stop("box")
    stopped = ports.engine.inspect("box")
    ports.engine.start("box")
    ports.engine.restart("box")
    running = ports.engine.inspect("box")
    assert stopped
    assert stopped.status == "exited"
    assert running
    assert running.status == "running"
    with pytest.raises(EngineError, match="no container"):
        ports.engine.start("nobody")


def test_missing_image_fails_without_a_pull(ports: Ports) -> None:
    with refused(EngineError, "engine-failed", match="image not known"):
        ports.engine.create(box(f"localhost/nothing@sha256:{'2' * 64}"))


def test_single_command_has_no_network_and_leaves_nothing(
    ports: Ports, reference: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("seen")
    volumes = (Volume(host=str(tmp_path), container="/input", options=("ro", "z")),)
    done = ports.engine.run_once(
        reference, ("sh", "-c", "cat /input/file; echo; ls /sys/class/net"), volumes, 20
    )
    assert (done.code, done.output.split()) == (0, ["seen", "lo"])
    assert podman("ps", "--all", "--quiet") == ""


def test_hanging_command_is_ended_by_podman(ports: Ports, reference: str) -> None:
    with refused(EngineError, "container-timeout"):
        ports.engine.run_once(reference, ("sleep", "100"), (), 2)
    assert podman("ps", "--all", "--quiet") == ""


def test_log_of_a_container_is_shown(ports: Ports, reference: str) -> None:
    RunContainer(spec=box(reference)).apply(ports, {})
    command = ports.engine.logs_command("box", LogOptions(lines=5))
    assert Processes().run(command, timeout=10).output == "started\n"
    nothing = ports.engine.logs_command("box", LogOptions(lines=0))
    assert Processes().run(nothing, timeout=10).output == ""
    assert ports.engine.logs_command("box", LogOptions(follow=True)) == ("podman", "logs", "--follow", "box")
