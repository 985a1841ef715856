"""The health metrics that have thresholds: which way each turns, and how far it goes.

Source: docs/reference/health.md (the vendor's monitoring page). Intune's names are not public, so a metric is
known by the word that its name must contain, as in the agent.
"""

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True)
class Kind:
    """One kind of metric. `highest` is the largest value there is; None: no limit.

    The bounds themselves count as healthy and unhealthy where they are `inclusive`, as a warning otherwise.
    """

    word: str
    more_is_better: bool = False
    highest: int | None = None
    inclusive: bool = False

    def verdict(
        self, value: float, healthy: float, unhealthy: float
    ) -> Literal["healthy", "warning", "unhealthy"]:
        """How a value is, between its two bounds: the agent judges alike."""
        sign = -1 if self.more_is_better else 1
        value, healthy, unhealthy = sign * value, sign * healthy, sign * unhealthy
        if value < healthy or (self.inclusive and value == healthy):
            return "healthy"
        worse = value > unhealthy or (self.inclusive and value == unhealthy)
        return "unhealthy" if worse else "warning"


KINDS: Final = (
    Kind("cpu", highest=100, inclusive=True),
    Kind("memory", highest=100, inclusive=True),
    Kind("disk", more_is_better=True),
    Kind("latency"),
)


def kind_of(metric: str) -> Kind | None:
    """The kind of a metric by its name; None when it is not known."""
    return next((kind for kind in KINDS if kind.word in metric.casefold()), None)
