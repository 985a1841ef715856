"""The one file is every program of ours, by the name it is called."""

import gc
import os
import pty
import subprocess
import sys
import termios
from pathlib import Path
from types import SimpleNamespace

import pytest

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.cli import dispatch
from mstunnel_setup.cli.framework.translation import SPOKEN
from mstunnel_setup.install.programs import FILE, LINKS

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
        timeout=30,
        check=False,
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    assert f"Usage: {program} " in finished.stdout


@pytest.fixture
def pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One page that was made in advance, in the environment of a host."""
    (tmp_path / "help.txt").write_text("\fmst-cli cert\nAll of it.\n\fmst-cli cert show\nOf a part.\n")
    monkeypatch.setattr(dispatch, "HELP_PAGES", str(tmp_path / "help.txt"))
    for name in ("COLUMNS", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)


def loaded(monkeypatch: pytest.MonkeyPatch, *words: str) -> bool:
    """Whether this command line loads that of the program."""
    names: list[str] = []

    class Loaded:
        @staticmethod
        def main() -> int:
            return 0

    def module(name: str) -> type[Loaded]:
        names.append(name)
        return Loaded

    monkeypatch.setattr(sys, "argv", list(words))
    monkeypatch.setattr(dispatch, "import_module", module)
    assert dispatch.main() == 0
    return names != []


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("mst-cli cert --help", "All of it.\n"),
        ("/usr/sbin/mst-cli cert show -h", "Of a part.\n"),
        ("mst-cli cert sh --help", ""),
        ("mst-cli --help cert", ""),
        ("mst-cli --output json cert --help", ""),
        ("mst-readiness cert --help", ""),
        ("mst-cli", ""),
    ],
)
def test_a_page_made_in_advance_needs_no_command_line(
    line: str, shown: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert loaded(monkeypatch, *line.split()) is (shown == "")
    assert capfd.readouterr().out == shown


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize(
    ("name", "value"), [("LANG", "ja_JP.UTF-8"), ("LANGUAGE", "fr:ja"), ("LC_ALL", "ja"), ("COLUMNS", "60")]
)
def test_for_another_language_or_width_the_command_line_makes_the_page(
    name: str, value: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert loaded(monkeypatch, "mst-cli", "cert", "--help")
    assert capfd.readouterr().out == ""


@pytest.mark.usefixtures("pages")
@pytest.mark.parametrize(("columns", "as_made"), [(79, False), (80, True), (200, True)])
def test_a_narrow_terminal_gets_a_page_of_its_width(
    columns: int, *, as_made: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (24, columns))
    kept = os.dup(1)
    try:
        os.dup2(terminal, 1)
        found = loaded(monkeypatch, "mst-cli", "cert", "--help")
    finally:
        os.dup2(kept, 1)
        for descriptor in (kept, terminal, controller):
            os.close(descriptor)
    assert found is not as_made


def test_pages_are_made_in_advance_for_no_other_language() -> None:
    assert dispatch.OTHER_LANGUAGES == SPOKEN


def test_an_interruption_while_a_program_is_loaded_is_reported(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["mst-cli", "status"])
    monkeypatch.setattr(dispatch, "import_module", interrupted)

    assert dispatch.main() == ExitCode.INTERRUPTED
    assert capfd.readouterr().err == "\nstopped: interrupted\n"


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


@pytest.mark.parametrize("program", sorted(dispatch.MODULES))
def test_what_goes_on_collects_garbage_more_often(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that ends may keep it; a service would grow by it."""
    thresholds: list[int] = []
    monkeypatch.setattr(gc, "set_threshold", thresholds.append)
    monkeypatch.setattr(sys, "argv", [program, "work"])
    monkeypatch.setattr(dispatch, "import_module", lambda _name: SimpleNamespace(main=lambda: 0))
    assert dispatch.main() == 0
    services = {"mstunnel-agent", "mstunnel-lab", "mstunnel_monitor"}
    assert (thresholds[0] <= 50_000) == (program in services)
