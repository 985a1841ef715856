"""The one file is every program of ours, by the name it is called."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.cli import dispatch
from mstunnel_setup.install.installed import FILE, LINKS

MAIN = "import sys; sys.argv.pop(0); from mstunnel_setup.cli.dispatch import main; sys.exit(main())"


@pytest.mark.parametrize(
    ("called", "program"),
    [*((f"/usr/sbin/{name}", name) for name in (FILE, *LINKS)), ("./mstunnel-setup-1.0", FILE)],
)
def test_the_name_decides(called: str, program: str) -> None:
    finished = subprocess.run(
        [sys.executable, "-c", MAIN, called, "--help"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert f"Usage: {program} " in finished.stdout


def test_an_interruption_while_a_program_is_loaded_is_reported(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["mst-cli", "status"])
    monkeypatch.setattr(dispatch, "import_module", interrupted)

    assert dispatch.main() == ExitCode.INTERRUPTED
    assert capfd.readouterr().err == "\nstopped[interrupted]: interrupted\n"


def test_no_plugin_of_pydantic_is_loaded(tmp_path: Path) -> None:
    """Any package on the path could bring one, and root would run it."""
    found = tmp_path / "other-1.dist-info"
    found.mkdir()
    (found / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1\n")
    (found / "entry_points.txt").write_text("[pydantic]\nother = other\n")
    (tmp_path / "other.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w')")
    command = [sys.executable, "-c", MAIN, "mstunnel-setup", "answers", "schema"]
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    subprocess.run(command, env=environment, capture_output=True, check=True, timeout=60)
    assert not (tmp_path / "loaded").exists()
