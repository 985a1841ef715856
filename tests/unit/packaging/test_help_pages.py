"""The help made in advance: a page for each command, which the start of the program finds."""

import sys
from pathlib import Path

import pytest

from mstunnel_setup.cli import dispatch
from scripts import help_pages
from scripts.command_tree import PROGRAMS, program

COMMANDS = [command.path for name in PROGRAMS for command in program(name).walk()]


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pages") / "help.txt"
    file.write_text(help_pages.text())
    return file


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_has_the_page_that_its_command_line_prints(
    path: str, pages: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = help_pages.page(path)
    assert wanted.startswith("Usage: ")
    monkeypatch.setattr(dispatch, "HELP_PAGES", str(pages))
    monkeypatch.setattr(dispatch, "MODULES", dict.fromkeys(dispatch.MODULES, "none is loaded"))
    monkeypatch.setattr(sys, "argv", [*path.split(), "--help"])
    for name in ("COLUMNS", "LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    assert dispatch.main() == 0
    assert capfd.readouterr().out == wanted
