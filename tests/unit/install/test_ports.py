"""The state of a container, as commands show it."""

import pytest

from mstunnel_setup.containers.checked_state import checked_state
from tests.unit.fakes import Forgetful
from tests.unit.install.scenes import Scene, container


@pytest.mark.parametrize(("systemd", "health"), [(False, "unhealthy"), (True, "healthy")])
def test_without_systemd_health_is_checked_on_demand(scene: Scene, *, systemd: bool, health: str) -> None:
    scene.engine = Forgetful({"box": container()})
    scene.systemd.runs = systemd
    state = checked_state(scene.opened().host, "box")
    assert state is not None
    assert state.health == health


def test_unknown_health_is_checked_on_demand(scene: Scene) -> None:
    scene.engine.containers["box"] = container(health="starting")
    ports = scene.opened().host
    assert checked_state(ports, "box") == container(health="starting")
    scene.engine.passes = True
    assert checked_state(ports, "box") == container(health="healthy")


def test_stopped_container_is_not_checked(scene: Scene) -> None:
    scene.engine = Forgetful({"box": container("exited", None)})
    scene.systemd.runs = False
    ports = scene.opened().host
    assert checked_state(ports, "box") == container("exited", None)
    assert checked_state(ports, "nobody") is None
