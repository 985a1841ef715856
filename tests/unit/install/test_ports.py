"""The state of a container, as commands show it."""

from dataclasses import replace

from tests.unit.install.worlds import FakeEngine, Scene, container


class Forgetful(FakeEngine):
    """An engine that checks health only when it is asked to, as Podman does without systemd."""

    def probe(self, name: str) -> bool:
        self.containers[name] = replace(self.containers[name], health="unhealthy")
        return False


def test_without_systemd_health_is_checked_when_somebody_looks(scene: Scene) -> None:
    scene.engine = Forgetful({"box": container()})
    scene.systemd.runs = False
    state = scene.context().world.container("box")
    assert state is not None
    assert state.health == "unhealthy"


def test_with_systemd_the_engine_has_checked_it(scene: Scene) -> None:
    scene.engine = Forgetful({"box": container()})
    state = scene.context().world.container("box")
    assert state is not None
    assert state.health == "healthy"


def test_what_is_not_decided_yet_is_decided_by_a_check(scene: Scene) -> None:
    scene.engine.containers["box"] = container(health="starting")
    world = scene.context().world
    assert world.container("box") == container(health="starting")
    scene.engine.passes = True
    assert world.container("box") == container(health="healthy")


def test_what_does_not_run_is_not_checked(scene: Scene) -> None:
    scene.engine = Forgetful({"box": container("exited", None)})
    scene.systemd.runs = False
    world = scene.context().world
    assert world.container("box") == container("exited", None)
    assert world.container("nobody") is None
