"""An argument that names a file is never taken for something else."""

from pathlib import Path

import pytest

from mst_admin.apply import load_declarations
from mst_admin.named_files import write_named
from mst_admin.object_commands import lint
from mst_admin.proxy_exclusions import check
from mstunnel_setup.base.errors import ExitCode, UsageError
from mstunnel_setup.io.errors import FileError
from tests.refusals import refused
from tests.unit.operators import operator_of


@pytest.mark.parametrize(
    "name", ["nofile.csv", "NOFILE.CSV", "list.txt", "./list", "/nowhere/list", "lists/list"]
)
def test_missing_csv_file_is_not_an_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    with refused(UsageError, "exclusions-missing"):
        check(operator_of(tmp_path), ["sub.contoso.com", name])


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
def test_missing_profile_file_is_not_taken_for_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with refused(UsageError, "profile-unreadable"):
        lint("profile", operator_of(tmp_path), {}, name)


def test_an_entry_may_be_longer_than_a_file_name(tmp_path: Path) -> None:
    judged = check(operator_of(tmp_path), ["a" * 300])
    assert judged.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("entry", ["https://contoso.com/", "10.0.0.0/8", "fd00::/8"])
def test_a_url_and_a_network_are_entries_that_are_refused(tmp_path: Path, entry: str) -> None:
    judged = check(operator_of(tmp_path), [entry])
    (refused,) = judged.errors
    assert refused.code == "exclusion-malformed"
    assert "it must be a host, without scheme, path or prefix length" in refused.message


def test_declarations_that_cannot_be_looked_at_are_wrong_usage(tmp_path: Path) -> None:
    with refused(UsageError, "declarations-missing", match="File name too long"):
        load_declarations(tmp_path / ("a" * 300))


@pytest.mark.parametrize("below", ["", "deeper"])
def test_nothing_is_written_below_a_file(tmp_path: Path, below: str) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(UsageError) as caught:
        write_named(file / below, {"a.yaml": ""})
    assert caught.value.message == f"cannot write to {file}: it is a file; expected a directory"


def test_a_directory_is_made_for_the_files(tmp_path: Path) -> None:
    write_named(tmp_path / "one" / "two", {"a.yaml": "text"})
    assert (tmp_path / "one" / "two" / "a.yaml").read_text() == "text"


def test_an_error_names_the_whole_path(tmp_path: Path) -> None:
    directory = tmp_path / "there"
    (directory / "a.yaml").mkdir(parents=True)
    with pytest.raises(FileError) as caught:
        write_named(directory, {"a.yaml": ""})
    assert caught.value.message.startswith(f"cannot write {directory}/a.yaml: it is a directory")
    assert f"`ls -l {directory}/a.yaml`" in caught.value.hint
