"""What a command found or did, as a value: the command line renders it, nothing else does."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, TypeAlias

from mstunnel_setup.base.errors import Declared, ExitCode, declare
from mstunnel_setup.base.problem import Problem, warning

__all__ = ("Lines", "Notice", "Result", "Status", "Worded", "declare_notice", "notice_of", "warning")

Status: TypeAlias = Literal["ok", "changed", "unchanged", "warning", "error"]
Lines: TypeAlias = "Sequence[str] | Callable[[], Iterable[str]]"


Notice: TypeAlias = Problem
"""A warning or an error in a result."""


def declare_notice(code: str, message: str, hint: str = "") -> Declared[Notice]:
    """Declare a warning, in the `errors` module of its package. `code` never changes its meaning."""
    return declare(Problem, code, message, hint)


class Worded(Protocol):
    """An error, finding or warning of any kind."""

    @property
    def code(self) -> str: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102
    @property
    def hint(self) -> str: ...  # noqa: D102


def notice_of(item: Worded) -> Problem:
    """What a result shows of `item`."""
    return Problem(item.code, item.message, item.hint)


@dataclass(frozen=True)
class Result:
    """The outcome of one command.

    `data` is what JSON output shows (docs/reference/schemas), `text` the lines for people, which may be made
    only when they are shown.
    """

    status: Status = "ok"
    data: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[Notice, ...] = ()
    errors: tuple[Notice, ...] = ()
    text: Lines = ()
    exit_code: ExitCode = ExitCode.DONE
