"""A host on which one step was run: what that command, the other mode and an uninstallation say of it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.cli import mst_cli, setup
from mstunnel_setup.cli.render import run_app

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command of the host below a root of its own; exit code and everything it said."""
    for name in ("etc", "run", "var/lib", "var/log"):
        (tmp_path / name).mkdir(parents=True)

    def run(program: str, *words: str) -> tuple[int, str]:
        app = {"mstunnel-setup": setup.app, "mst-cli": mst_cli.app}[program]
        code = run_app(app, program, [*words, "--unattended", "--root", str(tmp_path)])
        return code, " ".join("".join(capsys.readouterr()).split())

    return run


def test_a_step_leads_to_the_steps_that_are_left(begun: Run) -> None:
    code, said = begun("mstunnel-setup", "step", "kernel")

    assert code == 0
    assert "See what comes next with `mstunnel-setup status`." in said
    assert "mst-cli status" not in said


def test_the_other_mode_leads_to_rollback(begun: Run) -> None:
    begun("mstunnel-setup", "step", "kernel")

    code, said = begun("mstunnel-setup", "--rootless")

    assert code == 2
    assert "an installation with root was begun here Take it back first (`mstunnel-setup rollback`)" in said


def test_a_server_that_was_never_registered_is_not_removed_from_the_tenant(begun: Run) -> None:
    begun("mstunnel-setup", "step", "kernel")

    assert begun("mst-cli", "uninstall")[1].startswith("Removed from this server. ")
