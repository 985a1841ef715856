"""Files that outlive a release: what the earlier ones wrote is read, what a newer one wrote is no surprise.

Only the history of upgrades is refused: everything else is determined again.
Fixtures: releases/RELEASE-NAME-VERSION.json.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import StepError
from mstunnel_setup.certificates import revocation
from mstunnel_setup.exchange import health_report
from mstunnel_setup.exchange import upgrade_history as record
from mstunnel_setup.exchange.mailbox import UPGRADE, last_reply
from mstunnel_setup.gateway.ocserv_conf import log_level
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor import configuration, limits

_FIXTURES = sorted((Path(__file__).parent / "releases").glob("*.json"))
_NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Kept:
    """A file, and who reads it; what is found is falsy when the file is ignored."""

    path: str
    read: Callable[[Files], Any]


FILES = {
    "log-level": Kept(paths.LOG_LEVEL, lambda files: log_level(files, {}, _NOW).until),
    "health": Kept(health_report.REPORT, health_report.read_health),
    "configuration": Kept(paths.SERVED_CONFIGURATION, configuration.read_record),
    "changes": Kept(paths.AGENT_CHANGES, lambda files: limits.RateLimiter(files).wait("port", _NOW)),
    "revocation": Kept(revocation.ASKED_BY_COMMANDS, lambda files: revocation.last(files, "b" * 64, _NOW)),
    "answer": Kept(UPGRADE.reply, lambda files: last_reply(files, UPGRADE)),
    "upgrades": Kept(record.HISTORY, lambda files: record.read_history(files).upgrades),
}
_UNNUMBERED = {"log-level", "health", "revocation"}


def name_of(fixture: Path) -> str:
    """The file that it is one of."""
    return fixture.stem.split("-", 1)[1].rpartition("-")[0]


def read(root: Path, fixture: Path, version: int | None) -> Any:
    """What is found when the file says that it has this version; with None it says nothing."""
    name = name_of(fixture)
    content = json.loads(fixture.read_text())
    del content["version"]
    files = Files(root)
    files.make_directories(str(PurePosixPath(FILES[name].path).parent))
    numbered = content if version is None else {"version": version, **content}
    files.write(FILES[name].path, json.dumps(numbered).encode())
    return FILES[name].read(files)


def named(*names: str) -> list[Any]:
    """The fixtures of these files."""
    return [pytest.param(path, id=path.stem) for path in _FIXTURES if name_of(path) in names]


def test_every_file_has_a_fixture() -> None:
    assert all(named(name) for name in FILES)


@pytest.mark.parametrize("fixture", named(*FILES))
def test_what_an_earlier_release_wrote_is_read(tmp_path: Path, fixture: Path) -> None:
    assert read(tmp_path, fixture, json.loads(fixture.read_text())["version"])


@pytest.mark.parametrize("fixture", named(*_UNNUMBERED))
def test_what_was_written_before_there_were_versions_is_read(tmp_path: Path, fixture: Path) -> None:
    assert read(tmp_path, fixture, None)


@pytest.mark.parametrize("fixture", named(*(FILES.keys() - {"upgrades"})))
def test_a_file_of_a_newer_release_is_determined_again(tmp_path: Path, fixture: Path) -> None:
    assert not read(tmp_path, fixture, 2)


@pytest.mark.parametrize("fixture", named("upgrades"))
def test_the_history_of_a_newer_release_is_refused_with_a_way_on(tmp_path: Path, fixture: Path) -> None:
    with pytest.raises(StepError) as caught:
        read(tmp_path, fixture, 2)
    assert caught.value.code == "upgrades-unreadable"
    assert "Use the version that wrote it" in caught.value.hint
