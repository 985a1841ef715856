"""The kill loop on real parts: systemd, Podman, Quadlet, registry. A sample, for each kill costs seconds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.crash import plugin
from tests.testbed.host_tree import differences, tree_of_any_run
from tests.testbed.installation import ANSWERS, Installation
from tests.testbed.machine import Entry
from tests.testbed.paths import PROGRAM_PYTHON
from tests.testbed.process import Completed

pytestmark = pytest.mark.e2e

_KILLED = 128 + 9
_SAMPLE, _ALL = 2, 24


@dataclass(frozen=True)
class Real:
    """A server with Podman and systemd, and what undisturbed runs do on it."""

    host: Installation
    before: dict[str, Entry]
    golden: dict[str, Entry]
    tenant: dict[str, list[str]]
    points: int

    def killed(self, number: int) -> Completed:
        """The installation, killed at its point `number`."""
        return run(self.host, number, "mstunnel-setup", "--answers", ANSWERS)

    def installed(self) -> list[str]:
        """What differs from an undisturbed installation."""
        servers = self.host.tenant()["servers"]
        running = self.host.server.run(["podman", "ps", "--format={{.Names}}"]).stdout.split()
        complaints = [f"running: {running}"] if len(running) != len(set(running)) or len(running) < 2 else []
        return [*complaints, *differences(self.golden, tree_of_any_run(self.host)), *servers[1:]]

    def removed(self) -> list[str]:
        """What is left of an installation."""
        containers = self.host.server.run(["podman", "ps", "--all", "--quiet"]).stdout.split()
        tenant = self.host.tenant()
        left = [] if tenant == self.tenant else [f"tenant: {tenant}"]
        return [*containers, *left, *differences(self.before, tree_of_any_run(self.host))]


def run(host: Installation, number: int, *command: str) -> Completed:
    """Run a program of ours until its point `number`."""
    return host.program(
        *PROGRAM_PYTHON, "/root/kill_point.py", str(number), *command, "--unattended", check=False
    )


@pytest.fixture(scope="module")
def real() -> Iterator[Real]:
    with Installation.booted() as host:
        for name in ("testbed/kill_point.py", "crash/points.py"):
            source = Path(__file__).parents[1] / name
            host.server.write(f"/root/{source.name}", source.read_text())
        before, tenant = tree_of_any_run(host), host.tenant()
        run(host, 0, "mstunnel-setup", "--answers", ANSWERS).checked()
        points = len(host.server.read("/root/points").splitlines())
        host.server.run(["rm", "/root/points"])
        golden = tree_of_any_run(host)
        host.uninstall()
        yield Real(host, before, golden, tenant, points)


@pytest.mark.timeout(3600)
@pytest.mark.long
@pytest.mark.parametrize("part", [0, 1])
def test_a_kill_on_real_parts_is_survived(real: Real, everything: bool, part: int) -> None:
    """Killed, run again: as undisturbed. Uninstalled, or uninstalled at once: as before."""
    kills = _ALL if everything else _SAMPLE
    assert real.points > 500
    failed = []
    for index in range(part, kills, 2):
        # Spread over the whole run, the second half of each distance for the other part.
        number = 1 + (2 * index + 1) * real.points // (2 * kills)
        killed = real.killed(number)
        complaints = [] if killed.code == _KILLED else [killed.describe()]
        if index % 4 < 2:
            again = real.host.setup(check=False)
            complaints += [again.describe()] if again.code else real.installed()
        removed = real.host.uninstall(check=False)
        complaints += [removed.describe()] if removed.code else real.removed()
        plugin.record("real", point=number, of=real.points, complaints=complaints)
        failed += [f"point {number} of {real.points}: {text}" for text in complaints]
    assert failed == []
