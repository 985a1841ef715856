"""What the agent has done since it started, as numbers that only grow."""

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Counters:
    """Counts of this process."""

    check_ins: int = 0
    failed_check_ins: int = 0
    configurations_applied: int = 0
    configurations_refused: int = 0
    identity_renewals: int = 0

    def each(self) -> Iterator[tuple[str, str, int]]:
        """Name of the metric, what it counts, and the count."""
        yield "mstunnel_check_ins_total", "Check-ins that the tenant took.", self.check_ins
        yield "mstunnel_check_in_failures_total", "Check-ins that failed.", self.failed_check_ins
        yield (
            "mstunnel_configurations_applied_total",
            "Server configurations that the gateway took.",
            self.configurations_applied,
        )
        yield (
            "mstunnel_configurations_refused_total",
            "Server configurations that were refused.",
            self.configurations_refused,
        )
        yield (
            "mstunnel_identity_renewals_total",
            "Renewals of the agent's credential.",
            self.identity_renewals,
        )
