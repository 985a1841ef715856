"""The maintenance window of a site: when an upgrade cycle may begin.

Graph keeps two times of day and one UTC offset, no time zone (docs/reference, upgrade settings).
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, timezone


@dataclass(frozen=True)
class Window:
    """From `start` to `end` in local time, `offset` ahead of UTC.

    An end that is not after the start is on the next day.
    """

    start: time
    end: time
    offset: timedelta = timedelta(0)

    def contains(self, moment: datetime) -> bool:
        """Whether a cycle may begin at `moment` (aware); the end itself is too late."""
        now = moment.astimezone(timezone(self.offset)).time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def opens(self, moment: datetime) -> datetime:
        """When it is open next, in UTC: `moment` itself while it is open."""
        if self.contains(moment):
            return moment.astimezone(UTC)
        local = moment.astimezone(timezone(self.offset))
        opening = datetime.combine(local.date(), self.start, local.tzinfo)
        return (opening if opening > local else opening + timedelta(days=1)).astimezone(UTC)
