"""The gateway notices sessions by events of their network devices, without polling."""

import subprocess
from pathlib import Path

import pytest

from tests.unit.gateway.test_stop import functions

ENTRYPOINT = Path(__file__).parents[3] / "images/gateway/entrypoint"
# The test runs in a new network namespace, after the initial events of `ip` have passed.
_GATEWAY = """
set -o posix
poll_seconds=3
settle_seconds=1
sessions_changed=
"""
_ROUNDS = """
until [ -e up ]; do sleep 0.05; done
for round in 1 2 3; do
    before=$EPOCHREALTIME
    await_change
    echo "${sessions_changed:-0} $(((${EPOCHREALTIME/./} - ${before/./}) / 1000))"
done
"""


def waits(tmp_path: Path, during: str) -> list[tuple[bool, float]]:
    """Return result and seconds of three waits; `during` runs in the background."""
    pipes = [line for line in ENTRYPOINT.read_text().splitlines() if line.startswith("exec {")]
    script = "\n".join((_GATEWAY, functions("await_change"), *pipes, f"({during}) &", _ROUNDS))
    command = ["unshare", "--map-root-user", "--net", "bash", "-eu", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    pairs = [line.split() for line in done.stdout.splitlines()]
    return [(changed == "1", int(milliseconds) / 1000) for changed, milliseconds in pairs]


def test_at_rest_nothing_is_noticed(tmp_path: Path) -> None:
    found = waits(tmp_path, "touch up")
    assert [changed for changed, _ in found] == [False, False, False]
    assert all(seconds >= 3 for _, seconds in found)


@pytest.mark.parametrize("count", [1, 500])
def test_sessions_that_begin_are_noticed_once_a_pause(tmp_path: Path, count: int) -> None:
    """Sessions of a burst are counted together after a pause, so many cost no more than one."""
    commands = "".join(f"tuntap add name vpns{number} mode tun\n" for number in range(count))
    (tmp_path / "commands").write_text(commands)
    found = waits(tmp_path, "touch up; sleep 0.5; ip -batch commands")
    assert found[0][0] is True
    assert all(seconds >= 1 for _, seconds in found)


def test_without_ip_the_gateway_waits_as_long_as_before(tmp_path: Path) -> None:
    found = waits(tmp_path, "pkill -x -P $$ ip; touch up")
    assert [changed for changed, _ in found] == [False, False, False]
    assert all(seconds >= 3 for _, seconds in found[1:])
