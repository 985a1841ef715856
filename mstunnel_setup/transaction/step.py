"""Steps of an installation, with names for administrators: facts, a pure decision, then actions."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from mstunnel_setup.transaction.action import Action

RunT = TypeVar("RunT")
Facts = TypeVar("Facts")


@dataclass(frozen=True)
class Step(Generic[RunT, Facts]):
    """One step of the installation.

    `gather` reads host, tenant and answers (it may ask the administrator); `decide` is pure and names the
    actions, some of which may already be satisfied; `prove` checks the outcome and raises when it is
    wrong. `title` is what people see.

    Before the first change of a run, `missing` names the settings that an unattended run lacks and `refuse`
    raises if this step cannot succeed (it gets the names of all steps of the run). `needs` are steps whose
    facts must be gathered earlier in the same run. `obsolete` returns the keys of objects of earlier runs
    that are undone after the step.
    """

    name: str
    title: str
    gather: Callable[[RunT], Facts]
    decide: Callable[[Facts], Sequence[Action]]
    prove: Callable[[RunT, Facts], None] = lambda _run, _facts: None
    missing: Callable[[RunT], Sequence[str]] = lambda _run: ()
    refuse: Callable[[RunT, Collection[str]], None] = lambda _run, _steps: None
    obsolete: Callable[[RunT], Collection[str]] = lambda _run: ()
    needs: tuple[str, ...] = ()


AnyStep: TypeAlias = Step[Any, Any]
"""A step with any facts, for lists of steps."""
