"""What happens during a command and what it found or did, as values: only the command line shows them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.problem import Problem

Phase: TypeAlias = Literal["begin", "done", "unchanged", "failed", "undone", "kept"]


@dataclass(frozen=True)
class Event:
    """Something happened: `step` and `phase`; `action` is the key of the action concerned, or empty."""

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

    The docstring of the whole and the descriptions of the fields go into docs/reference/schemas. A field with
    a default is left out where it is not given.
    """

    model_config = ConfigDict(frozen=True)

    @property
    def data(self) -> dict[str, Any]:
        """As JSON data."""
        left_out = set(type(self).model_fields) - self.model_fields_set
        return self.model_dump(mode="json", by_alias=True, exclude=left_out)


Status: TypeAlias = Literal["ok", "changed", "unchanged", "warning", "error"]
Lines: TypeAlias = "Sequence[str] | Callable[[], Iterable[str]]"


@dataclass(frozen=True)
class Result:
    """The outcome of one command.

    `data` is what JSON output shows (docs/reference/schemas), `text` the lines for people, which may be made
    only when they are shown.
    """

    status: Status = "ok"
    data: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Problem, ...] = ()
    errors: tuple[Problem, ...] = ()
    text: Lines = ()
    exit_code: ExitCode = ExitCode.DONE
