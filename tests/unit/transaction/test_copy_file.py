"""A copy of a file that an administrator named, or of the program that runs."""

from pathlib import Path

import pytest

from mstunnel_setup.actions.files import CopyFile
from mstunnel_setup.io.files import Files
from tests.unit.transaction.ports import Ports

OF_SOMETHING_ELSE = "0" * 64


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "program"
    source.write_text("program")
    source.chmod(0o755)
    return source


def satisfied(root: Path, source: str, mode: int = 0o755) -> bool:
    action = CopyFile(path="/program", source=source, digest=OF_SOMETHING_ELSE, mode=mode)
    return action.satisfied(Ports(Files(root)), {})


def test_a_file_that_is_its_own_source_is_not_read_again(source: Path) -> None:
    assert satisfied(source.parent, str(source))


def test_its_mode_counts_all_the_same(source: Path) -> None:
    assert not satisfied(source.parent, str(source), 0o700)


def test_the_same_path_of_another_root_is_another_file(source: Path) -> None:
    assert not satisfied(source.parent, "/program")
