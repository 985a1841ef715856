"""The state of a container, as commands show it."""

from mstunnel_setup.actions import containers
from tests.unit.fakes import Forgetful
from tests.unit.install.scenes import Scene, container


def test_without_systemd_health_is_checked_on_demand(scene: Scene) -> None:
    scene.engine = Forgetful({"box": container()})
    scene.systemd.runs = False
    state = containers.state_of(scene.context().host, "box")
    assert state is not None
    assert state.health == "unhealthy"


def test_with_systemd_the_engine_has_checked_it(scene: Scene) -> None:
    scene.engine = Forgetful({"box": container()})
    state = containers.state_of(scene.context().host, "box")
    assert state is not None
    assert state.health == "healthy"


def test_what_is_not_decided_yet_is_decided_by_a_check(scene: Scene) -> None:
    scene.engine.containers["box"] = container(health="starting")
    ports = scene.context().host
    assert containers.state_of(ports, "box") == container(health="starting")
    scene.engine.passes = True
    assert containers.state_of(ports, "box") == container(health="healthy")


def test_what_does_not_run_is_not_checked(scene: Scene) -> None:
    scene.engine = Forgetful({"box": container("exited", None)})
    scene.systemd.runs = False
    ports = scene.context().host
    assert containers.state_of(ports, "box") == container("exited", None)
    assert containers.state_of(ports, "nobody") is None
