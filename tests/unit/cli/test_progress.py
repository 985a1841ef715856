"""Progress for people and for programs."""

import io
import json
import os

import pytest

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.result import Event
from mstunnel_setup.cli.framework.progress import ProgressLines, ProgressStream, count_bar, transfer_bar

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


def test_the_reason_of_a_failure_may_be_left_to_the_error_that_follows() -> None:
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
