"""`mstunnel-setup answers`: a commented file and its schema, printed or written."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mstunnel_setup.answers.load import load
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.install import answer_file
from mstunnel_setup.io.operator import Operator
from tests.unit.operators import operator_of
from tests.unit.results import lines_of

WRITERS = [answer_file.new, answer_file.schema]


@pytest.fixture
def file() -> Iterator[Path]:
    """A new file where no other user can change anything above: elsewhere none is written."""
    place = Path(tempfile.mkdtemp(prefix="answers-", dir=Path.home()))
    yield place / "gw1"
    shutil.rmtree(place)


@pytest.mark.parametrize("write", WRITERS)
def test_the_file_has_what_is_printed_without_one(
    write: Callable[[Operator, Path | None], Result], tmp_path: Path, file: Path
) -> None:
    operator = operator_of(tmp_path)
    printed, written = write(operator, None), write(operator, file)
    assert (printed.status, written.status) == ("ok", "changed")
    assert file.read_text().splitlines() == lines_of(printed)
    assert written.data == {"file": str(file)}
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_new_file_is_a_valid_answer_file(tmp_path: Path, file: Path) -> None:
    answer_file.new(operator_of(tmp_path), file)
    assert load(file).answers.version == 1


def test_the_schema_is_one_json_document(tmp_path: Path, file: Path) -> None:
    answer_file.schema(operator_of(tmp_path), file)
    assert json.loads(file.read_text())["properties"]["version"]


@pytest.mark.parametrize("write", WRITERS)
def test_a_file_that_is_there_is_left_alone(
    write: Callable[[Operator, Path | None], Result], tmp_path: Path, file: Path
) -> None:
    file.write_text("mine")
    with pytest.raises(UsageError) as refused:
        write(operator_of(tmp_path), file)
    assert refused.value.code == "file-exists"
    assert file.read_text() == "mine"
