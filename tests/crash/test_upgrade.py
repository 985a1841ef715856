"""An upgrade that is killed anywhere is brought to its end by the monitor; so is a monitor that is killed."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mstunnel_setup.exchange.mailbox import UPGRADE, AgentRequest, last_reply
from mstunnel_setup.exchange.release_catalogue import Digests
from mstunnel_setup.exchange.upgrade_history import HISTORY
from mstunnel_setup.io.files import Files
from tests.crash import plugin
from tests.crash.arena import Arena, Ended, differences
from tests.crash.engine import DEAD, SERVER
from tests.crash.kill import KILLED

GOOD = f"sha256:{'3' * 64}"
AGENT = f"sha256:{'4' * 64}"
SAMPLE = 2
# What the agent may be told: the tenant shows it. An agent that asks again is refused.
TOLD = {"done": ("accepted",), "went-back": ("failed", "refused")}


@dataclass
class Upgrading:
    """An installed server to which one release is offered, with the server image `image`."""

    arena: Arena
    image: str
    outcome: str
    drain_minutes: int = 0
    before: dict[str, Any] = field(default_factory=dict)

    def prepare(self) -> None:
        self.arena.reset()
        self.arena.offer("2.0", self.image, AGENT, drain_minutes=self.drain_minutes)
        self.before = self.arena.state()
        self.arena.install().checked()

    def apply(self, **options: Any) -> Ended:
        return self.arena.run("mst-cli", "upgrade", "apply", **options)

    def ask(self) -> None:
        """Put a request into the mailbox, as the agent does every minute until it is answered."""
        path = self.arena.place(UPGRADE.request)
        path.write_bytes(AgentRequest.to_upgrade(Digests(self.image, AGENT)).payload)

    def asked(self, **options: Any) -> Ended:
        self.ask()
        return self.arena.monitor(**options)

    def ended_as(self) -> str:
        path = self.arena.place(HISTORY)
        history = json.loads(path.read_text())["upgrades"] if path.exists() else []
        return str(history[-1]["outcome"]) if history else "not recorded yet"

    def wrong(self) -> list[str]:
        """What is wrong once everything should have come to its end."""
        outcome = self.ended_as()
        containers = self.arena.daemon.state()["containers"]
        new = containers[SERVER]["image"].endswith(self.image)
        found = [
            f"{name} {item['status']}" for name, item in containers.items() if item["status"] != "running"
        ]
        if outcome not in (self.outcome, "not recorded yet") or new != (outcome == "done"):
            found.append(f"ended as {outcome} with {containers[SERVER]['image']}")
        told = last_reply(Files(self.arena.root), UPGRADE)
        if (told and told.state) not in TOLD.get(outcome, (None,)):
            found.append(f"ended as {outcome}, and the agent is told {told}")
        return found

    def complaints(self) -> list[str]:
        """What is wrong now, and what the uninstallation that follows leaves."""
        found = self.wrong()
        removed = self.arena.uninstall()
        return [
            *found,
            *([removed.stdout] if removed.code else []),
            *differences(self.before, self.arena.state()),
        ]


@pytest.fixture(
    params=[
        pytest.param((GOOD, "done"), marks=pytest.mark.long, id="good"),
        pytest.param((DEAD, "went-back"), id="bad"),
    ]
)
def upgrading(arena: Arena, request: pytest.FixtureRequest) -> Upgrading:
    return Upgrading(arena, *request.param)


def numbers(count: int, everything: bool) -> range:
    """Which of `count` points to run."""
    return range(1, count + 1, 1 if everything else max(1, count // SAMPLE))


def rehearsed(upgrading: Upgrading, run: Callable[[], Ended]) -> tuple[str, ...]:
    """The points of an undisturbed run; the first one imports what later ones find imported."""
    upgrading.prepare()
    run()
    upgrading.prepare()
    points = run().points
    assert upgrading.complaints() == []
    return points


@pytest.mark.timeout(7200)
def test_upgrade_killed_anywhere_ends_on_a_serving_release(upgrading: Upgrading, everything: bool) -> None:
    points = rehearsed(upgrading, upgrading.apply)
    assert len(points) > 100
    failed = []
    for number in chosen(points, everything, name_of(HISTORY), name_of(UPGRADE.reply)):
        upgrading.prepare()
        assert upgrading.apply(kill_at=number).code == KILLED
        upgrading.arena.monitor().checked()
        failed += [f"{number} ({points[number - 1]}): {text}" for text in upgrading.complaints()]
    assert failed == []


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_a_monitor_that_is_killed_goes_on_where_it_was(upgrading: Upgrading, everything: bool) -> None:
    halfway = len(rehearsed(upgrading, upgrading.apply)) // 2

    def interrupted(**options: Any) -> Ended:
        assert upgrading.apply(kill_at=halfway).code == KILLED
        return upgrading.arena.monitor(**options)

    failed = []
    for number in numbers(len(rehearsed(upgrading, interrupted)), everything):
        upgrading.prepare()
        assert interrupted(kill_at=number).code == KILLED
        upgrading.arena.monitor().checked()
        failed += [f"{number}: {text}" for text in upgrading.complaints()]
    assert failed == []


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_monitor_killed_while_it_serves_the_agent(upgrading: Upgrading, everything: bool) -> None:
    upgrading.drain_minutes = 1
    points = rehearsed(upgrading, upgrading.asked)
    failed = []
    # Among them: the request taken and not recorded, the gateway closed to devices.
    for number in chosen(points, everything, f"remove {name_of(UPGRADE.request)}", "engine nft"):
        upgrading.prepare()
        assert upgrading.asked(kill_at=number).code == KILLED
        upgrading.arena.monitor().checked()
        complaints = upgrading.wrong()
        upgrading.asked().checked()
        complaints += [] if upgrading.ended_as() == upgrading.outcome else [upgrading.ended_as()]
        complaints += upgrading.complaints()
        plugin.record("asked", image=upgrading.outcome, complaints=complaints)
        failed += [f"{number} ({points[number - 1]}): {text}" for text in complaints]
    assert failed == []


def name_of(path: str) -> str:
    """How the points name a file."""
    return path.rpartition("/")[2]


def chosen(points: Sequence[str], everything: bool, *marks: str) -> Sequence[int]:
    """The numbers to run, among them the last point of each mark, and the one after it."""
    found = {*numbers(len(points), everything)}
    for mark in marks:
        at = [number for number, point in enumerate(points, 1) if mark in point]
        assert at, mark
        found |= {at[-1], at[-1] + 1}
    return sorted(found)
