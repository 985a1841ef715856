"""Progress for people and for programs, and the log."""

import io
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Event
from mstunnel_setup.cli.framework.progress import (
    ProgressLines,
    ProgressStream,
    SetupLog,
    count_bar,
    transfer_bar,
)
from mstunnel_setup.io.files import Files
from tests.unit.clocks import StoppedClock

EVENTS = [
    Event("eula", "begin", text="Licence terms"),
    Event("eula", "unchanged", text="Licence terms"),
    Event("site", "begin", text="Site"),
    Event("site", "begin", "file:/x", "write /x"),
    Event("site", "done", "file:/x", "write /x", 0.25),
    Event("site", "done", text="Site", seconds=1.25),
    Event("launch", "begin", text="Start\x1b"),
    Event("launch", "failed", text="no engine"),
    Event("site", "undone", "file:/x", "write /x"),
]


def _lines(*, verbose: bool) -> list[str]:
    stream = io.StringIO()
    progress = ProgressLines(stream, Redactor(), ["eula", "site", "launch"], verbose=verbose)
    for event in EVENTS:
        progress.event(event)
    return stream.getvalue().splitlines()


def test_people_see_steps_and_how_they_ended() -> None:
    assert _lines(verbose=False) == [
        "Step 1 of 3: Licence terms",
        "  ok, nothing changed",
        "Step 2 of 3: Site",
        "  done, 1.2 s",
        "Step 3 of 3: Start",
        "  not finished: no engine",
    ]


def test_failed_step_can_omit_the_reason() -> None:
    stream = io.StringIO()
    ProgressLines(stream, Redactor(), ["launch"], reasons=False).event(EVENTS[7])
    assert stream.getvalue() == "  not finished\n"


def test_long_lines_are_wrapped_between_words() -> None:
    stream = io.StringIO()
    progress = ProgressLines(stream, Redactor(), [], verbose=True)
    progress.event(Event("site", "undone", "file:/x", "write " + "/xy " * 40))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert " ".join("".join(lines).split()).count("/xy") == 40


def test_verbose_adds_the_actions() -> None:
    assert [line for line in _lines(verbose=True) if line not in _lines(verbose=False)] == [
        "  - write /x (0.2 s)",
        "  undone: write /x",
    ]


def test_programs_read_json_lines() -> None:
    reader, writer = os.pipe()
    stream = ProgressStream(writer, Redactor())
    stream.event(EVENTS[4])
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert json.loads(pipe.read()) == {
            "step": "site",
            "phase": "done",
            "action": "file:/x",
            "text": "write /x",
            "seconds": 0.25,
        }


def test_a_reader_that_went_away_does_not_stop_the_run() -> None:
    reader, writer = os.pipe()
    stream = ProgressStream(writer, Redactor())
    os.close(reader)
    for event in EVENTS:
        stream.event(event)
    os.close(writer)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writer)


@pytest.mark.parametrize("descriptor", [987, 99_999_999_999])
def test_a_descriptor_that_is_not_open_is_wrong_usage(descriptor: int) -> None:
    with pytest.raises(UsageError, match=f"file descriptor {descriptor} of --progress-fd is not open"):
        ProgressStream(descriptor, Redactor())


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_download_draws_one_line_and_only_on_a_terminal() -> None:
    terminal, pipe = _Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        show = transfer_bar(stream)
        for fetched in (0, 1, 1_000_000, 2_000_000, 2_000_000):
            show(fetched, 2_000_000)
    assert terminal.getvalue().count("\r") == 3
    assert terminal.getvalue().endswith("━━━━━━━━ 100 % of 2.0 MB\n")
    assert "━" not in terminal.getvalue().split("\r")[1]
    assert pipe.getvalue() == ""


def test_the_line_of_a_download_that_fails_is_ended() -> None:
    terminal, quiet = _Terminal(), _Terminal()
    for show in (transfer_bar(terminal), transfer_bar(quiet, quiet=True)):
        show(1_000_000, 2_000_000)
        show(0, 0)
        show(0, 0)
    assert terminal.getvalue().endswith(" 50 % of 2.0 MB\n")
    assert quiet.getvalue() == ""


def test_many_changes_draw_one_line_on_a_terminal_and_few_none() -> None:
    terminal, pipe, few = _Terminal(), io.StringIO(), _Terminal()
    for stream, total in ((terminal, 40), (pipe, 40), (few, 9)):
        show = count_bar(stream)
        for made in range(total + 1):
            show(made, total)
        show(total, 0)
    assert terminal.getvalue().count("\r") == 41
    assert terminal.getvalue().endswith("━━━━━━━━ 40 of 40 changes\n")
    assert terminal.getvalue().count("\n") == 1
    assert (pipe.getvalue(), few.getvalue()) == ("", "")


def test_the_line_of_changes_that_end_early_is_ended() -> None:
    terminal = _Terminal()
    show = count_bar(terminal)
    show(3, 40)
    show(3, 0)
    assert terminal.getvalue().endswith(" 3 of 40 changes\n")


NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def _log(root: Path) -> SetupLog:
    return SetupLog(Files(root), StoppedClock(NOW), Redactor(), "run1")


def test_a_run_that_changes_nothing_leaves_no_trace(tmp_path: Path) -> None:
    log = _log(tmp_path)
    log.event(Event("eula", "begin"))
    log.event(Event("eula", "unchanged"))
    log.event(Event("site", "failed", text="no"))
    assert list(tmp_path.iterdir()) == []


def test_the_first_action_brings_what_went_before(tmp_path: Path) -> None:
    log = _log(tmp_path)
    log.event(Event("eula", "begin", text="Licence terms"))
    log.event(Event("eula", "done", "file:/x", "write /x", 0.12345))
    path = tmp_path / "var/log/mstunnel/setup.log"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    assert records[1] == {
        "time": "2026-01-02T03:04:05.000+00:00",
        "run": "run1",
        "step": "eula",
        "phase": "done",
        "action": "file:/x",
        "text": "write /x",
        "seconds": 0.123,
    }
    assert [record["phase"] for record in records] == ["begin", "done"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_closed_log_is_opened_again_by_the_next_event(tmp_path: Path) -> None:
    log = _log(tmp_path)
    path = tmp_path / "var/log/mstunnel/setup.log"
    log.event(Event("eula", "done", "file:/x"))
    log.close()
    path.rename(path.with_name("setup.log.1"))
    log.event(Event("site", "done", "file:/y"))
    log.close()
    assert [json.loads(line)["step"] for line in path.read_text().splitlines()] == ["site"]


def test_short_texts_are_no_secrets() -> None:
    redactor = Redactor()
    redactor.register("on")
    assert redactor.clean("on and on") == "on and on"


@given(st.text('ab/+ "\\\n%é', min_size=4, max_size=12), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_does_not_survive_in_text_or_json(secret: str, before: str, after: str) -> None:
    redactor = Redactor()
    redactor.register(secret)
    assert secret not in redactor.clean(before + secret + after).replace("********", "\x00")
    assert redactor.clean_value({"k": [secret, 1, None]}) == {"k": ["********", 1, None]}
    assert json.dumps(secret)[1:-1] not in redactor.clean(json.dumps(secret))
