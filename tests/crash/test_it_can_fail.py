"""The crash tests find what is broken: each deliberately broken action makes them complain."""

import pytest

from tests.crash.kill import Scene, point

pytestmark = pytest.mark.long


def test_an_action_that_forgets_its_undo_is_found(fresh: Scene) -> None:
    number = point(fresh.points, "POST", "microsoftTunnelServers")
    assert fresh.removed(number) == []
    found = fresh.removed(number, sabotage="forget-undo")
    assert any("/etc/mstunnel/env.sh: wanted None" in line for line in found)


def test_an_action_that_cannot_be_repeated_is_found(fresh: Scene) -> None:
    number = point(fresh.points, "POST", "microsoftTunnelServers answered")
    assert fresh.resumed(number) == []
    found = fresh.resumed(number, sabotage="not-idempotent")
    assert any(line.startswith(("exit 6", "tenant")) for line in found)


def test_an_action_that_happens_before_it_is_journaled_is_found(fresh: Scene) -> None:
    # Without the record before the action, everything comes that many points earlier.
    numbers = range(point(fresh.points, "rename .env.sh") - 12, point(fresh.points, "rename .env.sh") + 1, 2)
    assert [line for number in numbers for line in fresh.removed(number)] == []
    found = [line for number in numbers for line in fresh.removed(number, sabotage="act-before-journal")]
    assert any("/etc/mstunnel/env.sh: wanted None" in line for line in found)
