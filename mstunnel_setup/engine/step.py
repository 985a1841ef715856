"""A step: what an administrator knows by name. Facts first, then a pure decision, then actions."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from mstunnel_setup.engine.action import Action

Context = TypeVar("Context")
Facts = TypeVar("Facts")


def _nothing_missing(_context: object) -> Sequence[str]:
    return ()


def _nothing_to_prove(_context: object, _facts: object) -> None:
    return None


@dataclass(frozen=True)
class Step(Generic[Context, Facts]):
    """One step of the installation.

    `gather` reads host, tenant and answers (it may ask the administrator); `decide` is pure and names the
    actions, some of which may already be satisfied; `prove` checks the outcome and raises when it is not as
    promised; `missing` names the settings an unattended run needs. `needs` are steps whose facts must be
    gathered earlier in the same run. `title` is what people see.
    """

    name: str
    title: str
    gather: Callable[[Context], Facts]
    decide: Callable[[Facts], Sequence[Action[Any]]]
    prove: Callable[[Context, Facts], None] = _nothing_to_prove
    missing: Callable[[Context], Sequence[str]] = _nothing_missing
    needs: tuple[str, ...] = ()
