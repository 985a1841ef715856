"""Manual pages: made from the commands themselves, and without a flaw that `man` or mandoc could name."""

import re
import subprocess
from pathlib import Path

import pytest

from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.cli.framework.help import examples
from scripts.docs import command_tree, manual

PAGES = manual.pages(1_767_225_600)


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / str(request.param)
    path.write_text(PAGES[path.name])
    return path


def shown(page: Path) -> str:
    """What a reader sees; nothing is left to warn of."""
    command = ["man", "--warnings", "--local-file", "--encoding=utf8", str(page)]
    environment = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "200", "TERM": "dumb"}
    finished = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (finished.returncode, finished.stderr) == (0, "")
    return re.sub(".\b", "", finished.stdout)


def test_each_program_and_the_answer_file_have_a_page() -> None:
    assert {
        "mst-cli.8",
        "mstunnel-setup.8",
        "mst-readiness.8",
        "mst-admin.1",
        "mstunnel_monitor.8",
        "mstunnel_uplink.8",
        "mstunnel-answers.5",
    } <= PAGES.keys()


def test_man_shows_it_without_a_warning(page: Path) -> None:
    text = shown(page)
    assert "2026-01-01" in text.splitlines()[-1]
    for heading in ("NAME", "DESCRIPTION", "SEE ALSO"):
        assert heading in text.splitlines()


def test_mandoc_finds_nothing_to_warn_of(page: Path) -> None:
    command = ["mandoc", "-T", "lint", "-W", "warning", str(page)]
    finished = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert finished.stdout == ""


@pytest.mark.parametrize("name", command_tree.ON_SERVERS)
def test_a_page_shows_the_examples_of_its_program(name: str) -> None:
    section = (
        PAGES[f"{name}.{manual.SECTIONS[name]}"].partition(".SH EXAMPLES\n.nf\n")[2].partition("\n.fi")[0]
    )
    assert section.replace("\\-", "-").splitlines() == list(examples(name))


@pytest.mark.parametrize("name", [*command_tree.ON_SERVERS, "mstunnel_monitor"])
def test_every_command_and_option_is_described(name: str) -> None:
    text = PAGES[f"{name}.{manual.SECTIONS[name]}"].replace("\\-", "-")
    for command in command_tree.program(name).walk():
        assert command.commands or command.path in text
        for parameter in command.parameters:
            assert all(option in text for option in parameter.names)


def test_both_sides_of_the_uplink_are_described(tmp_path: Path) -> None:
    page = tmp_path / "mstunnel_uplink.8"
    page.write_text(PAGES[page.name])
    text = shown(page)
    for usage in ("mstunnel_uplink serve ACCOUNT", "mstunnel_uplink attach PORT"):
        assert usage in text


def test_every_setting_of_the_answer_file_is_described() -> None:
    text = PAGES["mstunnel-answers.5"].replace("\\-", "-")
    assert [setting.path for setting in SETTINGS if f"\\fB{setting.path}\\fR" not in text] == []


def test_what_looks_like_a_request_of_roff_is_text(tmp_path: Path) -> None:
    assert [manual.roff(given) for given in (".so /etc/passwd", "'s", "a\\b", "see `ls -l`")] == [
        *("\\&.so /etc/passwd", "\\&'s", "a\\eb"),
        "see \\fBls \\-l\\fR",
    ]
