"""What the agent decided is read by the host, which does not trust the agent."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.exchange.upgrade_decision import (
    STANDING,
    UpgradeDecision,
    read_standing,
    standing,
    write_standing,
)
from mstunnel_setup.io.files import Files

NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
WAITS = standing(UpgradeDecision("turn", "gw1 comes first"), NOW, None)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    found = Files(tmp_path)
    found.make_directories(paths.AGENT_STATE)
    return found


def test_what_the_agent_writes_the_host_reads(files: Files) -> None:
    write_standing(files, WAITS)
    assert read_standing(files) == WAITS


@pytest.mark.parametrize(
    "written",
    [
        WAITS.model_dump_json().replace("{", '{"more": 1, ', 1),
        WAITS.model_dump_json(exclude={"window", "fixed", "unseen"}),
    ],
    ids=["newer", "older"],
)
def test_the_decision_of_an_agent_of_another_release_is_read(files: Files, written: str) -> None:
    files.write(STANDING, written.encode())
    assert read_standing(files) == WAITS


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"version": 2}', WAITS.model_dump_json().replace("turn", "\\u001b[2J").encode()]
)
def test_what_cannot_be_read_is_none(files: Files, content: bytes) -> None:
    assert read_standing(files) is None
    files.write(STANDING, content)
    assert read_standing(files) is None


def test_a_link_is_not_followed(files: Files) -> None:
    files.write("/secret", WAITS.model_dump_json().encode())
    files.locate(STANDING).symlink_to(files.locate("/secret"))
    assert read_standing(files) is None


@pytest.mark.parametrize(
    ("code", "waits"), [("turn", True), ("window-closed", True), ("begin", False), ("up-to-date", False)]
)
def test_only_a_release_that_is_not_taken_yet_waits(code: str, *, waits: bool) -> None:
    assert standing(UpgradeDecision(code, "so"), NOW, None).waits == waits
