"""Events and results of a command, as values that only the command line shows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypeVar

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.problem import Problem

Phase: TypeAlias = Literal["begin", "done", "unchanged", "failed", "undone", "kept"]


@dataclass(frozen=True)
class Event:
    """One event of a run: `step` and `phase`; `action` is the key of the action concerned, or empty."""

    step: str
    phase: Phase
    action: str = ""
    text: str = ""
    seconds: float = 0.0


Listener: TypeAlias = Callable[[Event], None]

Moment: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
"""A time in ISO 8601."""
Day: TypeAlias = Annotated[str, Field(json_schema_extra={"format": "date"})]
"""A date in ISO 8601."""


class Report(BaseModel):
    """The data of one command, or a part of it.

    Its JSON Schema in docs/reference/schemas is made from the fields, their descriptions and the docstring.
    Of the whole a field with a default is left out where it is not given.
    """

    model_config = ConfigDict(frozen=True, defer_build=True)

    @property
    def data(self) -> dict[str, Any]:
        """The report as JSON; fields that were not given are left out."""
        left_out = set(type(self).model_fields) - self.model_fields_set
        return self.model_dump(mode="json", by_alias=True, exclude=left_out)


ReportT = TypeVar("ReportT", bound=Report | None, covariant=True, default=Report | None)
Status: TypeAlias = Literal["ok", "changed", "unchanged", "warning", "error"]
Lines: TypeAlias = "Sequence[str] | Callable[[], Iterable[str]]"


@dataclass(frozen=True)
class Result(Generic[ReportT]):
    """The outcome of one command.

    `report` is the data of the command, `text` its lines for people or a function that makes them when they
    are shown.
    """

    status: Status = "ok"
    report: ReportT | None = None
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()
    text: Lines = ()
    exit_code: ExitCode = ExitCode.DONE

    @property
    def data(self) -> dict[str, Any]:
        """The report as JSON, empty without a report."""
        return {} if self.report is None else self.report.data
