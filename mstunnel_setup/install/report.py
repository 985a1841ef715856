"""Reports on installations, removals, and the joined site."""

from collections.abc import Sequence

from pydantic import Field

from mstunnel_setup.base.result import Report
from mstunnel_setup.transaction.action import Undo
from mstunnel_setup.transaction.runner import Planned, Removal


class StepReport(Report):
    """A step with its actions."""

    name: str
    title: str
    actions: tuple[str, ...] = Field(description="What was or would be done, in words.")


class RunReport(Report):
    """Steps and their actions."""

    steps: tuple[StepReport, ...]
    actions: int = Field(description="Number of actions of all steps.")

    @classmethod
    def of(cls, planned: Sequence[Planned]) -> "RunReport":
        """Return the report on the steps that a run did or would do."""
        steps = tuple(
            StepReport(
                name=item.step,
                title=item.title,
                actions=tuple(action.describe() for action in item.actions),
            )
            for item in planned
        )
        return cls(steps=steps, actions=sum(len(step.actions) for step in steps))


class RemovedObject(Report):
    """An object after its undo."""

    key: str
    outcome: Undo
    reason: str


class RemovalReport(Report):
    """The objects that were removed, restored, or left in place."""

    objects: tuple[RemovedObject, ...]

    @classmethod
    def of(cls, removals: Sequence[Removal]) -> "RemovalReport":
        """Return the report on the objects that the runner undid."""
        return cls(
            objects=tuple(
                RemovedObject(key=item.key, outcome=item.undone.outcome, reason=item.undone.reason)
                for item in removals
            )
        )
