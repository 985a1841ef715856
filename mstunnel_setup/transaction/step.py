"""A step, known to administrators by name: facts, then a pure decision, then actions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from mstunnel_setup.transaction.action import Action

Context = TypeVar("Context")
Facts = TypeVar("Facts")


@dataclass(frozen=True)
class Step(Generic[Context, Facts]):
    """One step of the installation.

    `gather` reads host, tenant and answers (it may ask the administrator); `decide` is pure and names the
    actions, some of which may already be satisfied; `prove` checks the outcome and raises when it is
    wrong; `missing` names the settings that an unattended run lacks. `needs` are steps whose facts must be
    gathered earlier in the same run. `title` is what people see.
    """

    name: str
    title: str
    gather: Callable[[Context], Facts]
    decide: Callable[[Facts], Sequence[Action]]
    prove: Callable[[Context, Facts], None] = lambda _context, _facts: None
    missing: Callable[[Context], Sequence[str]] = lambda _context: ()
    needs: tuple[str, ...] = ()


AnyStep: TypeAlias = Step[Any, Any]
"""A step with any facts, for lists of steps."""
