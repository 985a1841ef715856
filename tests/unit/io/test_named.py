"""Paths that an administrator named: what cannot be looked at is wrong usage, not a bug."""

from pathlib import Path

import pytest

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.io.safe_paths import kind_at, refuse_present
from tests.refusals import refused


def test_kinds_are_those_behind_links(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path)
    assert (kind_at(tmp_path / "file"), kind_at(tmp_path / "link")) == ("file", "directory")
    assert kind_at(tmp_path / "nothing") is None
    assert kind_at(tmp_path / "file" / "below") is None


def test_a_name_that_is_too_long_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="File name too long"):
        refuse_present(tmp_path / ("a" * 300))


def test_a_closed_directory_is_wrong_usage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(_path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", closed)
    with refused(UsageError, "permission-denied", match=f"cannot look at {tmp_path}: Permission denied"):
        refuse_present(tmp_path)


def test_a_new_file_replaces_nothing(tmp_path: Path) -> None:
    refuse_present(tmp_path / "new")
    with refused(UsageError, "file-exists"):
        refuse_present(tmp_path)
