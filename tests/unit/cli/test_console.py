"""The console: questions, choices and pages, also on a real pseudo-terminal."""

import io
import os
import re
import sys
import time
from threading import Timer
from typing import Any

import pexpect
import pytest
import zxingcpp

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.redaction import Redactor
from mstunnel_setup.base.text import WIDTH
from mstunnel_setup.cli.framework.console import NoPrompts, TerminalConsole

SITES = [("id-1", "Berlin", "gw.example"), ("id-2", "Kyoto"), ("id-3", "Kyoto"), ("4", "Four")]


def _console(typed: str) -> tuple[TerminalConsole, io.StringIO]:
    shown = io.StringIO()
    return TerminalConsole(Redactor(), stdin=io.StringIO(typed), stderr=shown), shown


@pytest.mark.parametrize("color", [False, True])
def test_words_between_colons_are_not_emoji(color: bool) -> None:
    """Rich replaces `:key:` in a name or an address by an emoji unless told otherwise."""
    shown = io.StringIO()
    console = TerminalConsole(Redactor(), color=color, stdin=io.StringIO(), stderr=shown)
    console.say("said :key:")
    console.device_code("https://login.example/:key:", "A:key:", 60)
    assert shown.getvalue().count(":key:") == 3


@pytest.mark.parametrize(
    ("typed", "options", "answer", "said"),
    [
        ("\n  Berlin \n", {}, "Berlin", "Site: Site: "),
        ("\n", {"default": "gw1"}, "gw1", "Site [gw1]: "),
        (" s3 \n", {"secret": True}, " s3 ", "Site: "),
    ],
    ids=["asked until something is typed", "an empty line is the default", "a secret keeps its spaces"],
)
def test_question_returns_answer_or_default(
    typed: str, options: dict[str, Any], answer: str, said: str
) -> None:
    console, shown = _console(typed)
    assert console.ask("Site", **options) == answer
    assert shown.getvalue() == said


LONG = "Path of another certificate, in PEM or PFX, that the gateway serves from now on (or type stop)"


@pytest.mark.parametrize("question", [("ask", LONG), ("confirm", LONG), ("ask_until", LONG, str)])
def test_long_question_breaks_between_words(question: tuple[Any, ...]) -> None:
    console, shown = _console("yes\n")
    getattr(console, question[0])(*question[1:])
    lines = shown.getvalue().splitlines()
    assert len(lines) == 2
    assert max(map(len, lines)) <= WIDTH
    assert " ".join(shown.getvalue().split()).startswith(LONG)


@pytest.mark.parametrize(
    ("typed", "answer"), [("yes\n", True), ("Y\n", True), ("\n", False), ("maybe\nno\n", False)]
)
def test_confirmation_accepts_yes_and_no(typed: str, answer: bool) -> None:
    assert _console(typed)[0].confirm("Go on?") is answer


@pytest.mark.parametrize("question", [("ask", "Site"), ("confirm", "Site"), ("ask_until", "Site", str)])
def test_the_end_of_the_input_is_an_error_with_a_way_out(question: tuple[Any, ...]) -> None:
    with pytest.raises(UsageError, match="the input ended") as caught:
        getattr(_console("")[0], question[0])(*question[1:])
    assert "--unattended" in caught.value.hint


@pytest.mark.parametrize(
    ("typed", "value", "said"),
    [
        ("1\n", "id-1", ""),
        ("berlin\n", "id-1", ""),
        ("ID-3\n", "id-3", ""),
        ("4\n", "4", ""),
        ("5\nOslo\nKyoto\n2\n", "id-2", '"Oslo" is not in the list.'),
        ("7\n1\n", "id-1", '"7" is not in the list. Type a number from 1 to 4, or a name.'),
        ("kyoto\n1\n", "id-1", '"kyoto" is the name of 2 entries. Type the number of one.'),
    ],
)
def test_choice_accepts_number_name_or_id(typed: str, value: str, said: str) -> None:
    console, shown = _console(typed)
    assert console.choose("Sites", SITES) == value
    assert said in shown.getvalue()


def test_choices_are_listed_without_control_characters() -> None:
    console, shown = _console("1\n")
    console.choose("Sites [bold]", [("id-1", "Ber[red]lin\x1b[31m")])
    assert "Sites [bold]" in shown.getvalue()
    assert "Ber[red]lin[31m" in shown.getvalue()
    assert "\x1b" not in shown.getvalue()


FORGED = "Berlin\n  2  Kyoto\u2028Remove it? [y/N]: y\r"


def test_a_name_of_the_tenant_adds_no_line_to_a_question() -> None:
    console, shown = _console("1\n\ny\n")
    assert console.choose("Sites", [("id-1", FORGED), ("id-2", "Kyoto")]) == "id-1"
    console.ask(f"Use {FORGED}", "")
    console.confirm(f"Remove {FORGED}")
    lines = [line.strip() for line in shown.getvalue().splitlines()]
    assert not [line for line in lines if line.startswith("Remove it")]
    assert [line for line in lines if line.startswith("2 ")] == ["2  Kyoto"]


def test_question_ends_when_its_condition_is_met() -> None:
    console, shown = _console("/root/site.pfx\n\n")
    answers: list[str | None] = ["", "half copied", "half copied", None]
    assert console.ask_until("Path", lambda: answers.pop(0)) == "/root/site.pfx"
    assert console.ask_until("Path", lambda: answers.pop(0)) == ""
    assert answers == ["half copied", None]
    assert shown.getvalue() == "Path: Path: \nhalf copied\nPath: "


def test_what_is_wrong_is_shown_when_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mstunnel_setup.cli.framework.console.POLL_SECONDS", 0)
    reader, writer = os.pipe()
    shown = io.StringIO()
    answers: list[str | None] = ["", "half", "half", "", "half", None]
    with os.fdopen(reader) as stdin, os.fdopen(writer):
        console = TerminalConsole(Redactor(), stdin=stdin, stderr=shown)
        assert console.ask_until("Path", lambda: answers.pop(0)) is None
    assert shown.getvalue().splitlines() == ["Path: ", "half", "Path: ", "half", "Path: "]


def test_rows_are_a_table_with_headings() -> None:
    console, shown = _console("1\n")
    guid = "9cd72797-5ed6-4d2a-8bc7-0eab1e5a81d5"
    rows = [(guid, "Berlin", "vpn.contoso.example", "2"), (f"{guid[:-1]}6", "Kyoto", "", "0")]
    assert console.choose("Site to join", rows, ("Name", "Address", "Servers")) == guid
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert ["No.", "Name", "Address", "Servers"] in lines
    assert ["1", "Berlin", "vpn.contoso.example", "2"] in lines
    assert ["2", "Kyoto", "0"] in lines
    assert guid not in shown.getvalue()


def test_long_names_are_folded_within_80_columns() -> None:
    console, shown = _console("1\n")
    console.choose("Sites", [("id-1", "A site with a very long name " * 3, "gateway.of.a.long.example" * 2)])
    assert max(map(len, shown.getvalue().splitlines())) <= 80


def test_messages_are_wrapped_between_words() -> None:
    console, shown = _console("")
    path = "/etc/mstunnel/private/" + "x" * 70
    console.say(f"{'word ' * 20}{path}\nend")
    lines = shown.getvalue().splitlines()
    assert max(len(line) for line in lines if path not in line) <= 80
    assert lines[-1] == "end"
    assert path in shown.getvalue()


def test_device_code_is_shown() -> None:
    console, shown = _console("")
    console.device_code("https://login.example.com/device", "ABCD-EFGH", 899.7)
    lines = [line.strip() for line in shown.getvalue().splitlines()]
    assert {"https://login.example.com/device", "ABCD-EFGH"} <= set(lines)
    assert "valid for 15 minutes" in shown.getvalue()
    console.waiting(10)
    assert shown.getvalue().endswith("Waiting ...\n")


def test_the_time_a_person_takes_is_known() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader) as stdin:
        console = TerminalConsole(Redactor(), stdin=stdin, stderr=io.StringIO())
        Timer(0.3, lambda: os.write(writer, b"Berlin\n")).start()
        assert console.ask("Site") == "Berlin"
        os.close(writer)
    assert 0.25 < console.waited < 5
    answered = console.waited
    console.device_code("https://login.example.com/device", "ABCD-EFGH", 900)
    time.sleep(0.2)
    console.waiting(0)
    console.waiting(0)
    assert 0.2 <= console.waited - answered < 5


# This program has one command, which runs `ask` and prints the result.
_PROGRAM = """
from mstunnel_setup.cli.framework.command import App
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.base.result import Result
def ask(console):{}
def act():
    return lambda operator: Result(text=ask(operator.console))
app = App("x"); app.command()(act)
raise SystemExit(run_app(app, "x", []))
"""
SIGN_IN = _PROGRAM.format("""
    console.device_code("https://microsoft.com/devicelogin", "ABCD-EFGH", 900)
    for left in (899.7, 61, 0):
        console.waiting(left)
    return ["signed in"]
""")
QUESTIONS = _PROGRAM.format("""
    console.page("\\n".join(f"line {n}" for n in range(60)))
    word = console.ask("Passphrase", secret=True)
    return [console.choose("Sites", [("id-1", "Berlin"), ("id-2", "Kyoto")]), str(len(word))]
""")
BLOCKS = {"█": (1, 1), "▀": (1, 0), "▄": (0, 1), " ": (0, 0)}
ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def _signed_in(lines: int, columns: int, **environment: str) -> str:
    """Return the screen of a terminal of this size during a sign-in."""
    with pexpect.spawn(
        sys.executable, ["-c", SIGN_IN], timeout=120, encoding="utf-8", dimensions=(lines, columns),
        env={**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", **environment},
    ) as child:  # fmt: skip
        child.expect(pexpect.EOF)
        return str(child.before)


def _scanned(screen: str) -> str | None:
    """Decode the QR code on a screen, with modules of eight pixels."""
    lines = re.findall("^ {4}([█▀▄ ]{20,})$", ESCAPES.sub("", screen).replace("\r", ""), re.MULTILINE)
    width = max((len(line) for line in lines), default=0)
    rows = [[BLOCKS[cell][half] for cell in line.ljust(width)] for line in lines for half in (0, 1)]
    pixels = b"".join(bytes(0 if cell else 255 for cell in row for _ in range(8)) * 8 for row in rows)
    if not pixels:
        return None
    found = zxingcpp.read_barcode(memoryview(pixels).cast("B", (len(rows) * 8, width * 8)))
    return str(found.text) if found else None


def test_long_choice_can_be_filtered() -> None:
    rows = [(f"id-{number}", f"Site {number:05}", "gw.example") for number in range(1, 5001)]
    console, shown = _console("0432\n4322\n")
    assert console.choose("Site to join", rows) == "id-4322"
    lines = [line.split() for line in shown.getvalue().splitlines()]
    assert lines[0][:4] == ["Site", "to", "join:", "5000"]
    assert "11 names contain it." in shown.getvalue()
    assert ["4321", "Site", "04321", "gw.example"] in lines
    assert len(lines) < 20


def test_sign_in_shows_readable_qr_code_and_time_left() -> None:
    screen = _signed_in(40, 80)
    assert _scanned(screen) == "https://microsoft.com/devicelogin"
    assert "\r   14:59 left \r    1:01 left \r\x1b[K" in screen
    assert "ABCD-EFGH" in screen
    assert screen.rstrip().endswith("signed in")


@pytest.mark.parametrize(
    ("lines", "columns", "environment"),
    [(20, 80, {}), (40, 30, {}), (40, 80, {"NO_COLOR": "1"}), (40, 80, {"PYTHONIOENCODING": "ascii"})],
    ids=["too low", "too narrow", "without colours", "without blocks"],
)
def test_a_terminal_that_cannot_show_a_code_gets_none(
    lines: int, columns: int, environment: dict[str, str]
) -> None:
    screen = _signed_in(lines, columns, **environment)
    assert _scanned(screen) is None
    assert "ABCD-EFGH" in screen


def test_long_lines_of_a_page_are_folded() -> None:
    console, shown = _console("")
    console.page(f"  - {LONG}")
    assert max(map(len, shown.getvalue().splitlines())) <= WIDTH


def test_pages_are_printed_whole_without_a_terminal() -> None:
    console, shown = _console("")
    console.page("line\n" * 100)
    assert shown.getvalue().count("line") == 100


def test_an_unattended_question_names_what_was_asked() -> None:
    shown = io.StringIO()
    console = NoPrompts(Redactor(), stderr=shown)
    for ask in (console.ask, console.confirm, lambda text: console.choose(text, SITES)):
        with pytest.raises(UsageError, match="an answer is needed: Which site") as caught:
            ask("Which site")
        assert caught.value.code == "answer-needed"
    assert console.ask("Name", "gw1") == "gw1"
    console.say("told")
    assert shown.getvalue() == "told\n"


def _spawn() -> "pexpect.spawn[str]":
    return pexpect.spawn(
        sys.executable, ["-c", QUESTIONS], timeout=120, encoding="utf-8", dimensions=(24, 80)
    )


def test_a_person_at_a_terminal() -> None:
    with _spawn() as child:
        child.expect_exact("line 21")
        child.expect_exact("-- more")
        child.sendline("")
        child.expect_exact("line 43")
        child.sendline("q")
        child.expect_exact("Passphrase: ")
        child.sendline("hunter2")
        child.expect_exact("Number or name: ")
        assert "hunter2" not in str(child.before)
        child.sendline("kyoto")
        child.expect_exact("id-2")
        child.expect(pexpect.EOF)
    assert child.exitstatus == 0


@pytest.mark.parametrize(
    ("control", "code", "message"), [("c", 130, "interrupted"), ("d", 2, "the input ended")]
)
def test_control_keys_end_the_command_with_a_message(control: str, code: int, message: str) -> None:
    with _spawn() as child:
        child.expect_exact("-- more")
        child.sendcontrol(control)
        child.expect_exact(message)
        child.expect(pexpect.EOF)
    assert child.exitstatus == code
