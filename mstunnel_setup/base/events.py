"""What happens during a run, as values; the renderer and the log decide how to present them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

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
