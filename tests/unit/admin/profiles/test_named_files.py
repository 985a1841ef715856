"""An argument that names a file is never taken for something else."""

from pathlib import Path

import pytest

from mstunnel_setup.admin.profile_commands import lint
from mstunnel_setup.admin.proxy_exclusions import check
from mstunnel_setup.errors import UsageError
from tests.unit.operators import operator_of


@pytest.mark.parametrize(
    "name", ["nofile.csv", "NOFILE.CSV", "list.txt", "./list", "/nowhere/list", "lists/list"]
)
def test_a_list_that_is_missing_is_no_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        check(operator_of(tmp_path), ["sub.contoso.com", name])
    assert caught.value.code == "exclusions-missing"


def test_entries_and_files_are_distinguished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list").write_text("a.contoso.com\nb.contoso.com\n")
    (tmp_path / "directory").mkdir()
    found = check(operator_of(tmp_path), ["list", "*.contoso.com", "10.0.0.1"]).data
    assert found == {
        "entries": ["a.contoso.com", "b.contoso.com", "*.contoso.com", "10.0.0.1"],
        "accepted": 4,
    }
    with pytest.raises(UsageError):
        check(operator_of(tmp_path), ["./directory"])


@pytest.mark.parametrize("name", ["./profile", "profile.yaml", "../profile.yml"])
def test_a_profile_file_that_is_missing_is_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError) as caught:
        lint(operator_of(tmp_path), {}, name)
    assert caught.value.code == "profile-unreadable"
