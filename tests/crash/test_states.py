"""Any order of installing, killing, resuming, editing and removing keeps the promises P1 to P3."""

import json
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from mstunnel_setup import paths
from tests.crash import plugin
from tests.crash.arena import Arena, differences
from tests.crash.kill import KILLED, Scene

_STEPS = 8
_arena: list[Scene] = []


class Gateway(RuleBasedStateMachine):
    """A server and its administrator, and somebody else."""

    steps = 0

    @initialize()
    def begin(self) -> None:
        self.scene = _arena[0]
        self.scene.reset()
        self.arena: Arena = self.scene.arena
        self.arena.write_answers({})
        self.installed = False
        self.foreign: set[str] = set()

    @rule()
    def install(self) -> None:
        ended = self.arena.install()
        assert ended.code == 0, ended.stdout
        self.installed = True
        assert self.arena.install().envelope["status"] == "unchanged"

    @rule(point=st.integers(1, 1100))
    def install_killed(self, point: int) -> None:
        ended = self.arena.install(kill_at=point)
        assert ended.code in (KILLED, 0), ended.stdout
        self.installed = ended.code == 0

    @rule(point=st.integers(1, 420))
    def uninstall_killed(self, point: int) -> None:
        ended = self.arena.uninstall(kill_at=point)
        assert ended.code in (KILLED, 0), ended.stdout
        self.installed = False
        if ended.code == 0:
            self.foreign.clear()

    @rule()
    def uninstall(self) -> None:
        ended = self.arena.uninstall()
        assert ended.code == 0, ended.stdout
        self.installed = False
        left = differences(self.scene.before, self.arena.state())
        assert all(any(path.startswith(name) for path in self.foreign) for name in map(_path, left)), left
        if self.foreign:
            shutil.rmtree(self.arena.root / "etc/mstunnel", ignore_errors=True)
            self.foreign.clear()

    @rule()
    def roll_back(self) -> None:
        ended = self.arena.run("mstunnel-setup", "rollback", "--answers", str(self.arena.answers))
        assert ended.code == (2 if self.installed else 0), ended.stdout
        if not self.installed and self.foreign:
            shutil.rmtree(self.arena.root / "etc/mstunnel", ignore_errors=True)
            self.foreign.clear()

    @rule(value=st.sampled_from(["1", "two words", "$HOME", "'", '"', "\\", "#"]))
    def change_answers(self, value: str) -> None:
        self.arena.write_answers({"environment": {"EXTRA": value}})

    @rule(container=st.sampled_from([paths.SERVER, paths.AGENT]))
    def somebody_removes_a_container(self, container: str) -> None:
        self.arena.daemon.answer({"do": "remove", "name": container})

    @rule(name=st.sampled_from(["notes", "private/notes", "certs/notes"]))
    @precondition(lambda self: (self.arena.root / "etc/mstunnel/certs").is_dir())
    def somebody_leaves_a_file(self, name: str) -> None:
        path = self.arena.root / "etc/mstunnel" / name
        if path.parent.is_dir():
            path.write_text("mine\n")
            self.foreign.add(f"/etc/mstunnel/{name}")

    @invariant()
    def key_and_certificate_belong_together(self) -> None:
        type(self).steps += 1
        active = self.arena.root / paths.ACTIVE.lstrip("/") if hasattr(self, "arena") else Path("/nowhere")
        if active.is_symlink():
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(active / "chain.pem", active / "key.pem")

    @invariant()
    def what_others_left_is_there(self) -> None:
        for path in getattr(self, "foreign", ()):
            assert (self.arena.root / path.lstrip("/")).read_text() == "mine\n"

    @invariant()
    def every_file_of_ours_is_whole(self) -> None:
        if not hasattr(self, "arena"):
            return
        for path in (paths.AGENT_INFO, paths.AGENT_SETTINGS, paths.IMAGES_CONFIGURED, paths.OIDC_JSON):
            place = self.arena.root / path.lstrip("/")
            if place.exists():
                json.loads(place.read_text())


def _path(difference: str) -> str:
    """The path a difference between trees is about."""
    return difference.partition(":")[0].removeprefix("tree ")


@pytest.fixture
def machine() -> Iterator[type[Gateway]]:
    place = Path(tempfile.mkdtemp(prefix="states-", dir="/dev/shm"))
    scene = Scene(Arena(place), lambda: None).rehearse()
    _arena[:] = [scene]
    yield Gateway
    scene.arena.close()
    shutil.rmtree(place)


@pytest.mark.timeout(3000)
def test_any_order_keeps_the_promises(request: pytest.FixtureRequest, machine: type[Gateway]) -> None:
    everything = request.config.getoption("--kill-points", "sample") == "all"
    rules = settings(
        max_examples=60 if everything else 3,
        stateful_step_count=_STEPS * 2 if everything else _STEPS,
        deadline=None,
        derandomize=not everything,
        database=None,
        phases=[Phase.generate, Phase.shrink] if everything else [Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    machine.steps = 0
    run_state_machine_as_test(machine, settings=rules)
    plugin.record("states", steps=machine.steps)
    assert machine.steps > 10
