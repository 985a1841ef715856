"""What a command found or did, as a value: the command line renders it, nothing else does."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.problem import Problem

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
