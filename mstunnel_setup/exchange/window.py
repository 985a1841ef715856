"""A maintenance window: a part of each day in local time."""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone, tzinfo
from typing import Final

_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class Window:
    """A maintenance window from `start` to `end` in local time of `zone`; both are whole minutes.

    An end that is not after the start is on the next day. A local time that occurs twice (end of daylight
    saving time) counts twice, one that is skipped does not occur.
    """

    start: time
    end: time
    zone: tzinfo = UTC

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M} {self.zone}"

    @property
    def fixed(self) -> bool:
        """True for a fixed UTC offset, without daylight saving time."""
        return isinstance(self.zone, timezone)

    def contains(self, moment: datetime) -> bool:
        """Return whether a cycle may begin at `moment` (aware); the end is excluded."""
        now = moment.astimezone(self.zone).time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def slot(self, moment: datetime, length: timedelta) -> int | None:
        """Return the number of the slot of this length that contains `moment`, counted across windows.

        None outside the window, and in a remainder at its end that is shorter than a slot.
        """
        if not self.contains(moment):
            return None
        local = moment.astimezone(self.zone).replace(tzinfo=None)
        opening = datetime.combine(local.date(), self.start)
        opening -= _DAY * (opening > local)
        whole = (datetime.combine(opening.date(), self.end) - opening) % _DAY or _DAY
        slots = max(whole // length, 1)
        place = (local - opening) // length
        return opening.toordinal() * slots + place if place < slots else None

    def opens(self, moment: datetime) -> datetime:
        """Return the next opening, in UTC; `moment` itself while the window is open."""
        opening = moment.astimezone(UTC)
        while not self.contains(opening):
            # Around changes of daylight saving time only a check of each minute is correct.
            opening = opening.replace(second=0, microsecond=0) + timedelta(minutes=1)
        return opening
