"""Stored revocation answers, read from files that a container with fewer rights may have written."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.certificates import revocation
from mstunnel_setup.certificates.revocation import (
    ASKED_BY_AGENT,
    ASKED_BY_COMMANDS,
    RevocationSource,
    RevocationStatus,
)
from mstunnel_setup.certificates.revocation_answers import RevocationState
from mstunnel_setup.io.files import Files
from tests.unit.certificates.pki import NOW

NAME = "generation-1"
SOUND: dict[str, Any] = {
    "fingerprint": NAME,
    "asked": NOW.isoformat(),
    "state": "good",
    "certificates": [
        {
            "subject": "gw",
            "state": "good",
            "attempts": [{"method": "ocsp", "address": "http://a", "answer": None, "problem": "down"}],
        }
    ],
}


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    for directory in (paths.STATE, paths.AGENT_STATE):
        found.make_directories(directory)
    return found


def state(files: Files, now: datetime = NOW) -> RevocationState | None:
    found = revocation.last(files, NAME, now)
    return None if found is None else found.state


def test_stored_answers_are_read_back(files: Files) -> None:
    attempt = RevocationSource(method="ocsp", address="http://a", answer=None, problem="down")
    verdict = RevocationStatus(subject="gw", state=RevocationState.UNREACHABLE, attempts=(attempt,))
    revocation.keep(files, ASKED_BY_AGENT, NAME, [verdict], NOW + timedelta(microseconds=5))
    found = revocation.last(files, NAME, NOW)
    assert found is not None
    assert (found.state, found.asked, found.problems) == (verdict.state, NOW, ["http://a: down"])
    assert revocation.last(files, "another", NOW) is None


@pytest.mark.parametrize("path", [ASKED_BY_COMMANDS, ASKED_BY_AGENT])
@pytest.mark.parametrize(
    "spoiled",
    [
        {"certificates": [{}]},
        {"certificates": [{**SOUND["certificates"][0], "attempts": [{}]}]},
        {"certificates": None},
        {"asked": 5e300},
        {"asked": "2026-01-01T00:00:00"},
        {"asked": "yesterday"},
        {"asked": (NOW + timedelta(days=1)).isoformat()},
        {"state": "splendid"},
        {"fingerprint": 5},
        *(b"", b"[]", b"\xff", b"5", b"[" * 100_000),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_invalid_or_future_record_is_ignored(
    files: Files, path: str, spoiled: dict[str, Any] | bytes
) -> None:
    files.write(path, json.dumps(SOUND).encode())
    assert state(files) is RevocationState.GOOD
    files.write(path, spoiled if isinstance(spoiled, bytes) else json.dumps(SOUND | spoiled).encode())
    assert state(files) is None


def test_symbolic_link_is_not_followed(files: Files) -> None:
    files.write("/elsewhere", json.dumps(SOUND).encode())
    files.locate(ASKED_BY_AGENT).symlink_to(files.locate("/elsewhere"))
    assert state(files) is None


def test_newest_answer_is_chosen_by_time_not_by_text(files: Files) -> None:
    """A time with another offset may sort later as text although it is earlier."""
    earlier = NOW - timedelta(hours=1)
    as_text = f"{earlier + timedelta(hours=14):%Y-%m-%dT%H:%M:%S}+14:00"
    files.write(ASKED_BY_AGENT, json.dumps(SOUND | {"asked": as_text}).encode())
    files.write(ASKED_BY_COMMANDS, json.dumps(SOUND | {"state": "revoked"}).encode())
    assert state(files) is RevocationState.REVOKED


def test_escape_sequences_are_removed_from_problems(files: Files) -> None:
    attempt = {**SOUND["certificates"][0]["attempts"][0], "problem": "\x1b[2Jdown"}
    spoiled = {**SOUND["certificates"][0], "attempts": [attempt]}
    files.write(ASKED_BY_AGENT, json.dumps(SOUND | {"certificates": [spoiled]}).encode())
    found = revocation.last(files, NAME, NOW)
    assert found is not None
    assert "\x1b" not in found.problems[0]
