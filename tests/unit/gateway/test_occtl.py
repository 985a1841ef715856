"""The texts in `occtl` were written by occtl 1.3.0 with two devices connected."""

import contextlib
import json
import re
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.errors import EngineError, UsageError
from mstunnel_setup.gateway.occtl import SHOW_COMMANDS, ShowCommand, occtl_arguments, read_answer
from tests.refusals import refused

COMMANDS = {" ".join(command.words): command for command in SHOW_COMMANDS}


def answer(name: str) -> str:
    return (Path(__file__).parent / "occtl" / f"{name}.txt").read_text()


def rows(command: str, name: str) -> list[Any]:
    found = read_answer(COMMANDS[command], answer(name))
    assert isinstance(found, list)
    return found


def test_the_commands_are_those_of_the_reference() -> None:
    assert sorted(COMMANDS) == [
        *("cookies all", "cookies valid", "events", "id", "ip ban points", "ip bans", "iroutes"),
        *("session", "sessions all", "sessions valid", "status", "user", "users"),
    ]
    assert {name for name, command in COMMANDS.items() if command.argument} == {"user", "id", "session"}
    assert {name for name, command in COMMANDS.items() if command.streams} == {"events"}
    assert all(command.summary.endswith(".") for command in SHOW_COMMANDS)


@pytest.mark.parametrize(
    ("command", "argument", "as_json", "expected"),
    [
        ("status", "", True, "occtl --no-pager --json show status"),
        ("users", "", False, "occtl --no-pager show users"),
        ("user", "alice", True, "occtl --no-pager --json show user alice"),
        ("ip ban points", "", True, "occtl --no-pager --json show ip ban points"),
    ],
)
def test_command_lines(command: str, argument: str, as_json: bool, expected: str) -> None:
    assert " ".join(occtl_arguments(COMMANDS[command], argument, as_json=as_json)) == expected


def test_streaming_command_ends_with_its_input() -> None:
    """A program in a container is not told that its client died."""
    watch, stand_in = occtl_arguments(COMMANDS["events"]), ["sh", "-c", "echo $$; exec sleep 600"]
    assert watch[-6:] == ["stdbuf", "-oL", "occtl", "--no-pager", "show", "events"]

    pipe = subprocess.PIPE
    with subprocess.Popen([*watch[:-6], *stand_in], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        started = Path("/proc", process.stdout.readline().strip())
        assert started.exists()
        process.stdin.close()
        assert process.wait(timeout=120) == 128 + signal.SIGTERM
    assert not started.exists()


@pytest.mark.parametrize(
    ("command", "argument", "code"),
    [
        ("user", "", "argument-missing"),
        ("users", "alice", "argument-unexpected"),
        ("user", "alice bob", "argument-invalid"),
        ("user", "alice\nreload", "argument-invalid"),
        ("id", "1\x1b[2J", "argument-invalid"),
        ("id", "abc", "argument-invalid"),
        ("id", "\u0665", "argument-invalid"),
    ],
)
def test_arguments_that_are_refused(command: str, argument: str, code: str) -> None:
    with refused(UsageError, code) as caught:
        occtl_arguments(COMMANDS[command], argument)

    assert caught.value.message.isprintable()
    # A command in a hint can be copied unchanged.
    assert caught.value.hint.count("show ") == caught.value.hint.count("mst-cli server show ")


def test_status_is_one_object() -> None:
    found = read_answer(COMMANDS["status"], answer("status"))

    assert isinstance(found, dict)
    assert (found["Status"], found["Active sessions"], found["raw_tx"]) == ("online", 0, 0)


def test_users() -> None:
    assert rows("users", "users-none") == []
    assert [row["Username"] for row in rows("users", "users-two")] == ["alice", "bob"]
    assert rows("user", "user-one")[0]["DNS"] == ["10.0.0.1"]
    assert rows("user", "user-unknown") == []


def test_a_comma_before_a_bracket() -> None:
    assert [row["Username"] for row in rows("sessions all", "sessions-two")] == ["bob", "alice"]
    assert rows("sessions all", "sessions-two")[0]["in_use"] == 1


def test_two_records_in_one_object_with_a_comma_forgotten() -> None:
    found = rows("iroutes", "iroutes-two")

    assert [(row["Username"], row["IP"]) for row in found] == [
        ("alice", "169.254.63.50"),
        ("bob", "169.254.25.106"),
    ]
    assert rows("iroutes", "iroutes-none") == []


@pytest.mark.parametrize("text", ["", "{", "[}", '{"a"}', "error connecting to ocserv socket", "[" * 100_000])
def test_invalid_output_of_occtl_is_an_error(text: str) -> None:
    with refused(EngineError, "occtl-answer-invalid"):
        read_answer(COMMANDS["users"], text)


# The numbers of occtl have 64 bits.
NUMBERS = st.integers(-(2**64), 2**64)
RECORDS = st.lists(
    st.dictionaries(st.text(), st.one_of(st.text(), NUMBERS, st.lists(st.text(), max_size=3)), min_size=1),
    max_size=4,
)


@given(RECORDS)
def test_sound_json_means_what_it_says(records: list[dict[str, Any]]) -> None:
    assert read_answer(ShowCommand(("users",), ""), json.dumps(records, indent=1)) == records


@given(RECORDS)
def test_commas_do_not_matter(records: list[dict[str, Any]]) -> None:
    lines = json.dumps(records, indent=1).splitlines()
    without = [re.sub(r",$", "", line) for line in lines]
    doubled = [re.sub(r"(?<![\[{:]),?$", ",", line) for line in lines]

    assert read_answer(ShowCommand(("users",), ""), "\n".join(without)) == records
    assert read_answer(ShowCommand(("users",), ""), "\n".join(doubled)) == records


@given(st.text(alphabet=st.sampled_from('[]{},:"\\ an1'), max_size=30))
def test_any_text_is_an_answer_or_an_error(text: str) -> None:
    with contextlib.suppress(EngineError):
        assert isinstance(read_answer(COMMANDS["users"], text), list)


def test_numbers_and_truth_values_are_typed() -> None:
    first = rows("users", "users-two")[0]
    assert [first[name] for name in ("MTU", "RX", "TX", "DPD", "KeepAlive")] == [1434, 0, 352, 60, 3600]
    assert first["Restricted to routes"] is False
    assert (first["_TX"], first["Username"]) == ("352 bytes", "alice")
