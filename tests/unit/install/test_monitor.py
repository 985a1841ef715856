"""Step `monitor`: who runs the monitor where systemd does not."""

import pytest

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.units import EnableInitScript
from mstunnel_setup.install.steps import program
from mstunnel_setup.io.files import Files
from tests.unit.install.scenes import Scene


@pytest.fixture(autouse=True)
def live(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that runs, without systemd."""
    scene.systemd.runs = False
    monkeypatch.setattr(Files, "live", True)


def test_an_init_that_takes_scripts_runs_it_now_and_at_boot(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "init_system", lambda _files, _processes: "openrc")

    script, enabled = program.MONITORING.decide(program.MONITORING.gather(scene.context()))

    assert isinstance(script, WriteFile)
    assert script.path == "/etc/init.d/mstunnel_monitor"
    assert "supervise-daemon" in script.text
    assert enabled == EnableInitScript(init="openrc", name="mstunnel_monitor", now=True)
    assert scene.prompter.said == []


def test_another_init_is_left_to_the_administrator(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "init_system", lambda _files, _processes: None)

    assert program.MONITORING.decide(program.MONITORING.gather(scene.context())) == ()
    (said,) = scene.prompter.said
    assert "have the init of this host run `mstunnel_monitor`, and start it again" in said
