"""A host on which a single step was run: its output, the other mode, and the uninstallation."""

from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.cli import mst_cli, setup
from mstunnel_setup.cli.framework.render import run_app
from tests.unit.install.scenes import AGENT_IMAGE, SERVER_IMAGE, tree

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Return a function that runs a command with a separate root and returns exit code and output."""
    for name in ("etc", "run", "var"):
        (tmp_path / name).mkdir()

    def run(program: str, *words: str) -> tuple[int, str]:
        app = {"mstunnel-setup": setup.app, "mst-cli": mst_cli.app}[program]
        code = run_app(app, program, [*words, "--unattended", "--root", str(tmp_path)])
        return code, " ".join("".join(capsys.readouterr()).split())

    return run


def test_a_step_names_the_steps_that_remain(begun: Run) -> None:
    code, said = begun("mstunnel-setup", "step", "kernel")

    assert code == 0
    assert "Done. See the next step with `mstunnel-setup status`." in said
    assert "mst-cli status" not in said


@pytest.mark.parametrize(
    ("step", "earlier"), [("environment", "eula"), ("certificate", "environment"), ("images", "eula")]
)
def test_step_names_the_step_that_creates_its_directory(
    begun: Run, tmp_path: Path, step: str, earlier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSTUNNEL_IMAGES_SERVER", SERVER_IMAGE)
    monkeypatch.setenv("MSTUNNEL_IMAGES_AGENT", AGENT_IMAGE)
    certificate = (f"--cert={tmp_path / 'site.crt'}", f"--key={tmp_path / 'site.key'}")
    code, said = begun("mstunnel-setup", "step", step, *certificate)
    assert code == 2
    assert f"the step {step} writes into /etc/mstunnel" in said
    assert f"Run `mstunnel-setup step {earlier}` first" in said


@pytest.mark.usefixtures("scene")
def test_a_step_removes_a_proxy_that_is_no_longer_set(begun: Run, tmp_path: Path) -> None:
    for step in ("eula", "environment"):
        assert begun("mstunnel-setup", "step", step, "--accept-eula")[0] == 0
    settings, shells = tmp_path / "etc/mstunnel/env.sh", tmp_path / "etc/profile.d/http_proxy.sh"
    plain = settings.read_text()
    settings.write_text(f"{plain}https_proxy=http://proxy.example.com:3128\n")
    assert begun("mstunnel-setup", "step", "proxy")[0] == 0
    assert shells.exists()

    settings.write_text(plain)
    assert begun("mstunnel-setup", "step", "proxy")[0] == 0

    assert not shells.exists()


def test_the_other_mode_requires_a_rollback(begun: Run) -> None:
    begun("mstunnel-setup", "step", "kernel")

    code, said = begun("mstunnel-setup", "--rootless")

    assert code == 2
    assert "installation with root exists on this host Roll it back first (`mstunnel-setup rollback`)" in said


def test_unregistered_server_is_not_removed_from_the_tenant(begun: Run) -> None:
    begun("mstunnel-setup", "step", "kernel")

    assert begun("mst-cli", "uninstall")[1].startswith("Removed from this server. ")


@pytest.mark.parametrize("way_back", ["mstunnel-setup rollback", "mst-cli uninstall"])
def test_undo_restores_the_tree(tmp_path: Path, begun: Run, way_back: str) -> None:
    """The tree includes the directories that an image may lack, and excludes the lock."""
    before = tree(tmp_path)
    begun("mstunnel-setup", "step", "kernel")
    assert tree(tmp_path) != before

    assert begun(*way_back.split())[0] == 0

    assert tree(tmp_path) == before


def test_directory_that_others_use_meanwhile_stays(tmp_path: Path, begun: Run) -> None:
    begun("mstunnel-setup", "step", "kernel")
    (tmp_path / "var/log/theirs").touch()

    assert begun("mst-cli", "uninstall")[0] == 0

    assert [str(path.relative_to(tmp_path / "var")) for path in (tmp_path / "var").rglob("*")] == [
        "log",
        "log/theirs",
    ]


def test_a_refused_run_leaves_the_tree_as_it_was(tmp_path: Path, begun: Run) -> None:
    before = tree(tmp_path)

    assert begun("mstunnel-setup")[0] == 2

    assert tree(tmp_path) == before
