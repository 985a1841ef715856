"""Log lines: their text, their parts, and their form in the journal and as JSON."""

import json
import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.log_line import (
    LogLine,
    Priority,
    as_json,
    declare_line,
    error_line,
    journal_fields,
    message_id,
)

RESTARTED = declare_line("restart", "{container} is {condition}", "See the log.", Priority.WARNING)
NOW = datetime(2026, 11, 27, 2, tzinfo=UTC)


def test_error_line_has_code_message_and_hint() -> None:
    error = NetworkError("network-timeout", "graph.example did not answer in time", "Check the proxy.")

    assert (
        error_line(error.problem) == "network-timeout: graph.example did not answer in time. Check the proxy."
    )


def test_a_token_never_reaches_the_log() -> None:
    line = LogLine("x", "refused: Bearer eyJhbGciOi.eyJvaWQi.c2ln-_g (expired)")
    assert line == "x: refused: Bearer ******** (expired)"
    hidden = RESTARTED(container="eyJhbGciOi.eyJvaWQi.c2ln-_g", condition="well")
    assert "eyJ" not in json.dumps(journal_fields(hidden)) + as_json(hidden, NOW)


@given(st.text())
def test_log_line_is_one_line_without_control_characters(text: str) -> None:
    line = LogLine("x", text, text, values={"a": text})
    for part in (line, *journal_fields(line).values()):
        assert all(character.isprintable() or character.isspace() for character in part)
        assert len(part.splitlines()) <= 1


def test_journal_gets_each_part_as_a_field() -> None:
    assert journal_fields(RESTARTED(container="mstunnel-agent", condition="unhealthy")) == {
        "MESSAGE": "restart: mstunnel-agent is unhealthy. See the log.",
        "MESSAGE_ID": message_id("restart"),
        "PRIORITY": "4",
        "MSTUNNEL_CODE": "restart",
        "MSTUNNEL_HINT": "See the log.",
        "MSTUNNEL_CONTAINER": "mstunnel-agent",
        "MSTUNNEL_CONDITION": "unhealthy",
    }


def test_json_is_one_object_on_one_line() -> None:
    text = as_json(RESTARTED(container="a", condition="unhealthy"), NOW)
    assert len(text.splitlines()) == 1
    assert json.loads(text) == {
        "time": "2026-11-27T02:00:00.000+00:00",
        "level": "warning",
        "code": "restart",
        "message": "a is unhealthy. See the log.",
        "message_id": message_id("restart"),
        "values": {"container": "a", "condition": "unhealthy"},
    }


def test_message_id_of_a_code_never_changes() -> None:
    assert message_id("restart") == "888c197759eb5ee895c492f2b3e6972e"
    assert re.fullmatch("[0-9a-f]{32}", message_id("another-code"))
