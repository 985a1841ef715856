"""Retries of pulls: temporary failures are retried, permanent ones reported at once; one deadline for all."""

from typing import Any, cast

import pytest

from mstunnel_setup.actions.images import pull_patiently
from mstunnel_setup.base.errors import EngineError
from mstunnel_setup.containers.engine import ContainerEngine, Image
from mstunnel_setup.containers.pull import pull_failure
from mstunnel_setup.containers.spec import Progress, no_progress
from tests.unit.clocks import FakeClock

IMAGE = "registry.example/server@sha256:" + "ab" * 32
FOUND = Image(IMAGE, "sha256:" + "ab" * 32, "id")


class Registry:
    """Each attempt takes `seconds` and ends with the next of `reasons`; with none left it succeeds."""

    def __init__(self, clock: FakeClock, *reasons: str, seconds: float = 1.0) -> None:
        self.clock = clock
        self.reasons = list(reasons)
        self.seconds = seconds
        self.deadlines: list[float] = []

    def pull(self, reference: str, deadline: float, progress: Progress) -> Image:
        self.deadlines.append(deadline)
        self.clock.sleep(self.seconds)
        if self.reasons:
            raise pull_failure(reference, self.reasons.pop(0))
        return FOUND


def _pull(registry: Registry, deadline: float = 100.0) -> Image:
    return pull_patiently(cast("ContainerEngine", registry), registry.clock, IMAGE, deadline, no_progress)


def test_a_failure_that_may_pass_is_tried_again_within_the_deadline() -> None:
    registry = Registry(FakeClock(), "connection reset by peer", "i/o timeout")
    assert _pull(registry) is FOUND
    assert registry.deadlines == [100.0, 98.0, 93.0]


def test_the_third_failure_is_reported() -> None:
    registry = Registry(FakeClock(), *["connection refused"] * 9)
    with pytest.raises(EngineError, match="connection refused"):
        _pull(registry)
    assert len(registry.deadlines) == 3


@pytest.mark.parametrize(
    "reason",
    ["manifest unknown", "unauthorized: no", "denied", "no space left on device", "x509: unknown authority"],
)
def test_a_permanent_failure_is_reported_at_once(reason: str) -> None:
    registry = Registry(FakeClock(), reason)
    with pytest.raises(EngineError):
        _pull(registry)
    assert len(registry.deadlines) == 1


def test_no_attempt_begins_after_the_deadline() -> None:
    registry = Registry(FakeClock(), *["connection reset"] * 9, seconds=6.0)
    with pytest.raises(EngineError, match="connection reset"):
        _pull(registry, 10.0)
    assert registry.deadlines == [10.0, 3.0]


def test_an_error_of_another_kind_is_not_tried_again() -> None:
    class Lying(Registry):
        def pull(self, *_: Any) -> Image:  # pyright: ignore[reportIncompatibleMethodOverride]
            self.deadlines.append(0.0)
            raise EngineError("image-digest-mismatch", "something else came")

    registry = Lying(FakeClock())
    with pytest.raises(EngineError, match="something else"):
        _pull(registry)
    assert len(registry.deadlines) == 1
