"""The level of the gateway's log follows env.sh and the verbose mode, whatever the tenant does."""

from datetime import timedelta

from mstunnel_setup import paths
from mstunnel_setup.agent.loop import Agent
from mstunnel_setup.agent.tenant import Enrolment
from mstunnel_setup.gateway.log_level import VERBOSE_HOURS, begin_verbose
from tests.unit.agent.scene import AWAY, Scene
from tests.unit.clocks import START

UNTIL = START + timedelta(hours=VERBOSE_HOURS)


def test_the_debug_level_comes_from_env_sh(scene: Scene) -> None:
    agent = scene.agent()
    scene.files.write(paths.ENVIRONMENT, b"DEBUG_LEVEL=3\n")
    agent.round()
    assert "log-level = 3\n" in scene.conf()

    scene.files.write(paths.ENVIRONMENT, b"DEBUG_LEVEL=$(id)\n")
    error = agent.round()

    assert error is not None
    assert error.code == "environment-line-invalid"
    assert "log-level = 3\n" in scene.conf()


def test_the_verbose_mode_begins_and_ends_while_the_tenant_is_away(scene: Scene) -> None:
    agent = scene.agent()
    agent.round()
    usual = scene.conf()
    scene.tenant.trouble = AWAY
    begin_verbose(scene.files, UNTIL)
    agent.round()
    assert scene.conf() == usual.replace("log-level = 0\n", "log-level = 4\n")

    scene.clock.elapsed = VERBOSE_HOURS * 3600 - 1
    agent.round()
    assert "log-level = 4\n" in scene.conf()
    scene.clock.elapsed += 1
    # One that has started since knows nothing of the tenant.
    scene.agent().round()
    assert scene.conf() == usual
    assert scene.codes().count("log-level-changed") == 2


def test_the_verbose_mode_ends_while_the_configuration_cannot_be_served(scene: Scene) -> None:
    agent = scene.agent()
    begin_verbose(scene.files, UNTIL)
    agent.round()
    assert "log-level = 4\n" in scene.conf()
    scene.configure(routeIncludes=["255.255.0.0"])
    scene.clock.elapsed = VERBOSE_HOURS * 3600
    agent.round()
    assert "log-level = 0\n" in scene.conf()


def test_the_level_is_written_before_a_tenant_that_may_not_answer_is_asked(scene: Scene) -> None:
    scene.agent().round()
    begin_verbose(scene.files, UNTIL)
    seen: list[str] = []

    def enrol() -> Enrolment:
        seen.append(scene.conf())
        raise AWAY

    Agent(enrol, scene.files, scene.clock, scene.log.append, scene.statuses.append).round()
    assert ["log-level = 4\n" in conf for conf in seen] == [True]


def test_without_a_configuration_there_is_no_level_to_keep(scene: Scene) -> None:
    scene.tenant.trouble = AWAY
    begin_verbose(scene.files, UNTIL)
    scene.agent().round()
    assert scene.conf() == ""
