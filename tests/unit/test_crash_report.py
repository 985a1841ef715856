"""The page about reliability: what it takes from the records, and what it keeps."""

import json
from pathlib import Path

import pytest

from tests.crash import plugin, report

STRACE = "| Killed by the kernel at a system call (strace), then run again (commit 4ffa4e4) | 100 | 100 |"
COST = "## What the journal costs\n\n0.5 % of the time of an installation\n"
PAGE = f"""\
| Kill points (fresh host, of 1000 points): install killed, uninstall: state as before | 1000 | 1000 |
{STRACE}

<!-- machines: begin -->
machines
<!-- machines: end -->

{COST}
## Crash bugs found and fixed
"""


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = tmp_path / "reliability.md"
    found.write_text(PAGE)
    monkeypatch.setattr(report, "PAGE", found)
    monkeypatch.setattr(report, "_JOURNAL", tmp_path / "journal.json")
    monkeypatch.setattr(plugin, "FIGURES", tmp_path)
    return found


def killed(directory: Path, *points: int, of: int) -> None:
    """Put kill points of the fresh host on record."""
    run = {"variant": "fresh", "way": "removed", "of": of, "every": 1, "then": None, "complaints": []}
    (directory / "kill.jsonl").write_text(
        "".join(json.dumps({**run, "point": point}) + "\n" for point in points)
    )


def test_what_has_no_record_stays_on_the_page(page: Path) -> None:
    killed(page.parent, 1, 2, 3, of=3)
    assert report.main() == 0
    written = page.read_text()
    assert "\n| fresh | all |  | 3 of 3 |  |\n" in written
    assert written.count(STRACE) == written.count(COST) == written.count("\nmachines\n") == 1
    assert "1000" not in written
    assert report.main() == 0
    assert page.read_text() == written


@pytest.mark.parametrize("points", [(), (1, 3)], ids=["none", "a sample"])
def test_of_a_sample_nothing_is_written(
    points: tuple[int, ...], page: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    killed(page.parent, *points, of=3)
    assert report.main() == 1
    assert page.read_text() == PAGE
    assert "not written" in capsys.readouterr().out
