"""What an import of a certificate is asked to do, and when the certificate is to be used."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.install.installed import PATIENCE

# Ten years; more is a typo.
_LONGEST_MINUTES = 5_256_000
# Seconds. An upgrade holds the lock for many minutes, and a renewal hook is not called again.
_HOOK_PATIENCE = 3600.0


@dataclass(frozen=True)
class ImportRequest:
    """Options of an import; `delay` is in minutes, `at` a time in ISO 8601, names are those of imports."""

    delay: int | None = None
    at: str | None = None
    if_changed: bool = False
    dry_run: bool = False
    list_pending: bool = False
    cancel: str | None = None
    yes: bool = False
    activate: str | None = None

    @property
    def patience(self) -> float:
        """Seconds to wait for another run to end."""
        return _HOOK_PATIENCE if self.if_changed else PATIENCE

    def refuse_contradictions(self) -> None:
        """Raise UsageError `import-unclear` where two things are asked for that exclude each other."""
        work = {"--list": self.list_pending, "--cancel": self.cancel is not None, "--dry-run": self.dry_run}
        asked = [option for option, given in work.items() if given]
        if len(asked) > 1:
            raise UsageError(
                "import-unclear",
                "{asked} cannot be combined",
                hint="Give one of them.",
                asked=" and ".join(asked),
            )

    def due(self, now: datetime) -> datetime | None:
        """When to take the certificate into use (UTC, whole seconds); None is at once. Raises UsageError."""
        if self.delay is not None and self.delay > _LONGEST_MINUTES:
            raise UsageError(
                "delay-too-long",
                "a delay of {delay} minutes is longer than ten years",
                hint="Give a shorter delay.",
                delay=self.delay,
            )
        if self.delay is not None and self.at is not None:
            raise UsageError(
                "time-twice",
                "both a delay and a time are given",
                hint="Give one of them.",
            )
        if self.at is not None:
            try:
                due = datetime.fromisoformat(self.at).astimezone(UTC).replace(microsecond=0)
            except (ValueError, OverflowError) as error:
                raise UsageError(
                    "time-unclear",
                    "`{text}` is not a time",
                    hint="Write it as 2026-12-31T03:00; add an offset such as +02:00 if it is not local.",
                    text=self.at,
                ) from error
            if due <= now:
                raise UsageError(
                    "time-past",
                    "{due:%Y-%m-%d %H:%M} UTC is in the past",
                    hint="Give a later time, or none.",
                    due=due,
                )
            return due
        return None if not self.delay else (now + timedelta(minutes=self.delay)).replace(microsecond=0)
