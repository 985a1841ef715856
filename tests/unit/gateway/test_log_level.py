"""The verbose mode lasts eight hours, then the earlier level is restored automatically."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.gateway.ocserv_conf import LogLevel, begin_verbose, log_level
from mstunnel_setup.io.files import Files

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
END = NOW + timedelta(hours=8)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    (tmp_path / "etc/mstunnel").mkdir(parents=True)
    return Files(tmp_path)


@pytest.mark.parametrize(("value", "level"), [(None, 0), ("0", 0), ("2", 2), ("9", 4)])
def test_without_the_mode_it_is_the_setting(files: Files, value: str | None, level: int) -> None:
    settings = {} if value is None else {"DEBUG_LEVEL": value}
    assert log_level(files, settings, NOW) == LogLevel(level, level)


@pytest.mark.parametrize(("name", "value"), [("mst_verbose_log", "true"), ("mst_log_verbose", "1")])
def test_the_vendor_s_setting_is_the_highest_level_for_as_long_as_it_stands_there(
    files: Files, name: str, value: str
) -> None:
    assert log_level(files, {name: value, "DEBUG_LEVEL": "1"}, NOW) == LogLevel(4, 4)
    assert log_level(files, {name: "false", "DEBUG_LEVEL": "1"}, NOW) == LogLevel(1, 1)


@pytest.mark.parametrize("usual", ["0", "1", "4"])
def test_the_mode_ends_automatically_and_the_setting_applies_again(files: Files, usual: str) -> None:
    begin_verbose(files, END)
    settings = {"DEBUG_LEVEL": usual}
    assert log_level(files, settings, END - timedelta(seconds=1)) == LogLevel(4, int(usual), END)
    assert log_level(files, settings, END) == LogLevel(int(usual), int(usual))


@pytest.mark.parametrize("settings", [{"DEBUG_LEVEL": "4"}, {"mst_verbose_log": "true"}, {}])
def test_a_gateway_that_asks_for_passwords_never_logs_one(files: Files, settings: dict[str, str]) -> None:
    files.make_directories(paths.RADIUS)
    files.write(paths.RADIUS_CLIENT, b"")
    begin_verbose(files, END)
    assert log_level(files, settings, NOW).level == 3
    assert log_level(files, settings, END).level <= 3


def test_it_can_be_ended_earlier(files: Files) -> None:
    begin_verbose(files, END)
    files.remove(paths.LOG_LEVEL)
    files.remove(paths.LOG_LEVEL)
    assert log_level(files, {}, NOW) == LogLevel(0, 0)


@pytest.mark.parametrize(
    "content", ["", "[]", '{"level": 9, "until": "2026-07-01T20:00:00Z"}', '{"level": 4}']
)
def test_a_spoiled_file_changes_nothing(files: Files, content: str) -> None:
    files.write(paths.LOG_LEVEL, content.encode())
    assert log_level(files, {"DEBUG_LEVEL": "1"}, NOW) == LogLevel(1, 1)


def test_a_wrong_setting_is_named(files: Files) -> None:
    with pytest.raises(UsageError, match="DEBUG_LEVEL cannot be high"):
        log_level(files, {"DEBUG_LEVEL": "high"}, NOW)
