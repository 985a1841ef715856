"""Limits on guessing: wrong tries are counted, and too many of them end the guessing for a while."""

from dataclasses import dataclass, field

from mstunnel_setup.io.clock import Clock, SystemClock


@dataclass
class Tries:
    """Wrong tries by name: `most` of them within `seconds` refuse the name until the first is that old.

    Names must be few: ids of accounts, or digests cut to a few digits.
    """

    most: int
    seconds: float
    clock: Clock = field(default_factory=SystemClock)
    _wrong: dict[str, list[float]] = field(default_factory=dict, init=False)

    def exhausted(self, name: str) -> bool:
        """Whether there were too many wrong tries lately; then a right one must be refused as well."""
        oldest = self.clock.monotonic() - self.seconds
        return sum(at > oldest for at in self._wrong.get(name, ())) >= self.most

    def count(self, name: str) -> None:
        """Count a wrong try."""
        self._wrong[name] = [*self._wrong.get(name, ()), self.clock.monotonic()][-self.most :]

    def forget(self, name: str) -> None:
        """Begin to count from nothing: the right secret was given, or an administrator unlocks the name."""
        self._wrong.pop(name, None)


@dataclass(frozen=True)
class Limits:
    """The limits of one run of the server.

    `passwords` and `codes` (second factor) count by account, `user_codes` by the browser's address.
    """

    passwords: Tries = field(default_factory=lambda: Tries(10, 600))
    codes: Tries = field(default_factory=lambda: Tries(5, 600))
    user_codes: Tries = field(default_factory=lambda: Tries(20, 600))
