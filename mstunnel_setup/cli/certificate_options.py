"""Options of the certificate commands, and the time that a delayed import is for."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from mstunnel_setup.errors import UsageError
from mstunnel_setup.foreign import whole_number

# Ten years: more is a slip of the hand.
_LONGEST_MINUTES = 5_256_000


@dataclass(frozen=True)
class ImportOptions:
    """What `import_cert` shall do with the certificate, and when."""

    word: Annotated[
        str | None, typer.Argument(metavar="delay", help="As --delay MINUTES, in two bare words.")
    ] = None
    minutes: Annotated[str | None, typer.Argument(metavar="MINUTES", help="The minutes of that.")] = None
    delay: Annotated[
        int | None,
        typer.Option("--delay", metavar="MINUTES", min=0, help="Take it into use this much later."),
    ] = None
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Take it into use at this time (ISO 8601; local time)."),
    ] = None
    if_changed: Annotated[
        bool,
        typer.Option("--if-changed", help="End quietly when it is in use already; for renewal hooks."),
    ] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge the certificate, change nothing.")] = False
    list_pending: Annotated[bool, typer.Option("--list", help="Show delayed imports.")] = False
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="NAME", help="Cancel a delayed import.")
    ] = None
    yes: Annotated[
        bool, typer.Option("--yes", help="Go back to a certificate older than the one in use.")
    ] = False
    activate: Annotated[str | None, typer.Option("--activate", metavar="NAME", hidden=True)] = None

    def refuse_contradictions(self) -> None:
        """Raise UsageError `import-unclear` where two things are asked for that exclude each other."""
        work = {"--list": self.list_pending, "--cancel": self.cancel is not None, "--dry-run": self.dry_run}
        asked = [option for option, given in work.items() if given]
        if len(asked) > 1:
            raise UsageError(
                "import-unclear", f"{' and '.join(asked)} exclude each other", "Give one of them."
            )

    def due(self, now: datetime) -> datetime | None:
        """When to take the certificate into use (UTC, whole seconds); None is at once. Raises UsageError."""
        minutes = self._minutes()
        if minutes is not None and self.at is not None:
            raise UsageError("time-twice", "both a delay and a time are given", "Give one of them.")
        if self.at is not None:
            return _future(self.at, now)
        return None if not minutes else (now + timedelta(minutes=minutes)).replace(microsecond=0)

    def _minutes(self) -> int | None:
        if self.word is None:
            minutes = self.delay
        elif self.word == "delay" and (number := whole_number(self.minutes or "")) is not None:
            minutes = number
        else:
            raise UsageError(
                "delay-unclear",
                f"`{' '.join(filter(None, (self.word, self.minutes)))}` is not understood",
                "Write `delay` and a number of minutes, as in `mst-cli import_cert delay 10080`.",
            )
        if minutes is not None and minutes > _LONGEST_MINUTES:
            raise UsageError("delay-too-long", f"{minutes} minutes are more than ten years", "Correct it.")
        return minutes


def _future(text: str, now: datetime) -> datetime:
    try:
        due = datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            "time-unclear",
            f"`{text}` is not a time",
            "Write it as 2026-12-31T03:00, with an offset such as +02:00 unless it is local time.",
        ) from error
    if due <= now:
        raise UsageError(
            "time-past", f"{due:%Y-%m-%d %H:%M} UTC is over already", "Give a later time, or none at all."
        )
    return due
