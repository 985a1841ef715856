"""The checks in Japanese at a real terminal of 80 columns, which are recorded for the documentation."""

import os
import re
import sys
from pathlib import Path

import pexpect
import pyte

from mstunnel_setup.base.text import width
from tests.testbed.recording import Recording
from tests.testbed.terminal import COLUMNS, Record
from tests.unit.cli.conftest import MAIN

TYPED = "mst-readiness utils"
# The screen is high enough for the whole output.
ROWS = 42


def test_the_checks_line_up_at_a_terminal(recording: Path | None) -> None:
    record = Record()
    child = pexpect.spawn(
        sys.executable,
        ["-c", MAIN, *TYPED.split()],
        env={"PATH": os.defpath, "LANG": "ja_JP.UTF-8", "TERM": "xterm"},
        encoding="utf-8",
        dimensions=(ROWS, COLUMNS),
        timeout=60,
    )
    child.logfile_read = record
    child.expect(pexpect.EOF)
    child.close()

    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.Stream(screen).feed(record.getvalue())
    shown = [line.rstrip() for line in screen.display]
    heads = [found[0] for line in shown if (found := re.match(r"  (合格|警告|失敗)  \S+ +", line))]
    assert len(heads) > 1
    assert len(set(map(width, heads))) == 1
    assert any(line.startswith("準備") for line in shown)
    # The terminal would have wrapped a line that is too wide.
    lines = re.sub(r"\x1b\[[0-9;]*m", "", record.getvalue()).splitlines()
    assert [line for line in lines if width(line) > COLUMNS] == []
    if recording:
        begin = record.events[0][0] - 1
        made = Recording(COLUMNS, ROWS, [(begin, f"# LANG=ja_JP.UTF-8 {TYPED}\r\n"), *record.events])
        (recording / "readiness.japanese.svg").write_text(made.svg())
