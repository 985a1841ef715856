"""What a person is shown elsewhere is what the programs print, and every check says what to do."""

import re

import pytest

from mstunnel_setup.operations.readiness_report import explain
from mstunnel_setup.readiness.checks import CHECKS
from tests.unit.results import lines_of
from tests.unit.test_docs import ROOT

SCREENS = ROOT / "tests/unit/cli/screens"
# These differ from host to host.
OWN = {"Site", "Version", "サイト", "バージョン"}


def rows(text: str) -> list[tuple[str, str]]:
    """The label of each line, and its value where that is the same on every host."""
    pairs = [re.split(r"\s{2,}", line, maxsplit=1) for line in text.strip().splitlines()]
    return [(pair[0], "" if pair[0] in OWN else pair[-1]) for pair in pairs]


@pytest.mark.parametrize(
    ("page", "language"), [("first-gateway", 0), ("first-gateway.ja", 1), ("real-server", 0)]
)
def test_tutorials_show_the_status_that_is_printed(page: str, language: int) -> None:
    shown = re.findall(
        r"(?ms)^\$ mst-cli status\n(.*?)(?=^\$ |^```)", (ROOT / f"docs/tutorial/{page}.md").read_text()
    )
    recorded = re.split(r"(?m)^== .*\n", (SCREENS / "status.txt").read_text())[1:]
    assert len(shown) >= 1
    assert [rows(text) for text in shown] == [rows(recorded[language])] * len(shown)


def test_every_check_says_how_to_fix_what_it_finds() -> None:
    """By its third paragraph, or by a hint whose values are not the whole of it."""
    silent = []
    for check in CHECKS:
        lines = lines_of(explain(check.id))
        fixes = lines[lines.index("How to fix it") + 1 :]
        if not any(line.strip(" .:…") for line in fixes):
            silent.append(check.id)
    assert silent == []
