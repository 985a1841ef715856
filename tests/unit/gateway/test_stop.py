"""Stopping the gateway: sessions may continue for a while, and every engine waits longer."""

import subprocess
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.fields import MOST_DRAIN_SECONDS
from mstunnel_setup.gateway.ocserv_conf import ocserv_conf
from mstunnel_setup.install import our_containers

ENTRYPOINT = Path(__file__).parents[3] / "images/gateway/entrypoint"
DOCUMENT = {"id": "c", "displayName": "d", "network": "10.0.0.0/8"}
# After the signal the server runs until the gateway has re-read its files, and a little longer.
# The server blocks the signal before it reports ready: one just before pause() would be lost.
# Without a signal the server exits by itself, so that a failed test leaves no process.
_SIGNALLED = """
trap 'echo looked; touch looked' HUP
python3 -c 'import os, signal, time
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
open("up", "w").close()
if signal.sigtimedwait({signal.SIGTERM}, 60) is None: exit(1)
os.kill(os.getppid(), signal.SIGHUP)
while not os.path.exists("looked"): time.sleep(0.01)
time.sleep(0.3)
print("ended", flush=True)' &
server=$!
until [ -e up ]; do sleep 0.05; done
stop
echo stopped
"""


def functions(*names: str) -> str:
    """Return the source of these functions of the entrypoint."""
    lines = ENTRYPOINT.read_text().splitlines()
    starts = [lines.index(f"{name}() {{") for name in names]
    return "\n".join(line for start in starts for line in lines[start : lines.index("}", start) + 1])


def test_a_signal_meanwhile_does_not_end_the_wait_for_the_server(tmp_path: Path) -> None:
    command = ["bash", "-o", "posix", "-eu", "-c", functions("stop", "serving") + _SIGNALLED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout.split() == ["looked", "ended", "stopped"]


def with_drain(milliseconds: str) -> str:
    settings = [{"name": "server-drain-ms", "value": milliseconds}]
    return ocserv_conf(ServerConfiguration.from_wire({**DOCUMENT, "advancedSettings": settings}))


def test_the_longest_drain_is_shorter_than_what_an_engine_waits() -> None:
    setting = our_containers.ContainerHost(
        configuration="/etc/mstunnel",
        server_state="/srv/server",
        agent_state="/srv/agent",
        environment=b"",
        limits_processes=True,
    )
    server = our_containers.server("registry.example.com/a@sha256:" + "0" * 64, setting, 443)
    assert f"server-drain-ms = {1000 * MOST_DRAIN_SECONDS}\n" in with_drain(f"{1000 * MOST_DRAIN_SECONDS}")
    assert server.stop_timeout > MOST_DRAIN_SECONDS + 10


def test_a_longer_drain_is_refused() -> None:
    with pytest.raises(TenantError) as caught:
        with_drain("60001")
    assert "from 0 to 60000" in caught.value.hint
