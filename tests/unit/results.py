"""The parts of a result, with the types that a test expects of them."""

from pydantic import ConfigDict

from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.values import JsonObject


class GivenReport(Report):
    """Data of any form."""

    model_config = ConfigDict(extra="allow")


def lines_of(result: Result) -> list[str]:
    """The lines that a person reads."""
    text = result.text() if callable(result.text) else result.text
    return [str(line) for line in text]


def object_of(result: Result, name: str) -> JsonObject:
    """The object `name` of the data."""
    found = result.data[name]
    assert isinstance(found, dict)
    return found


def list_of(result: Result, name: str) -> list[object]:
    """The list `name` of the data."""
    found = result.data[name]
    assert isinstance(found, list)
    return [*found]


def rows_of(result: Result, name: str) -> list[JsonObject]:
    """The list of objects `name` of the data."""
    rows = [row for row in list_of(result, name) if isinstance(row, dict)]
    assert len(rows) == len(list_of(result, name))
    return rows
