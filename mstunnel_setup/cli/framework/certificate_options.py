"""Options of the certificate commands."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import typer

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import whole_number

if TYPE_CHECKING:
    from mstunnel_setup.operations.certificate.import_certificate import ImportRequest


@dataclass(frozen=True)
class ImportOptions:
    """What `import_cert` does with the certificate, and when."""

    word: Annotated[
        str | None, typer.Argument(metavar="delay", help="The word `delay`: as --delay MINUTES.")
    ] = None
    minutes: Annotated[
        str | None, typer.Argument(metavar="MINUTES", help="Minutes after the word `delay`.")
    ] = None
    delay: Annotated[
        int | None,
        typer.Option("--delay", metavar="MINUTES", min=0, help="Use it after this delay."),
    ] = None
    at: Annotated[
        str | None,
        typer.Option("--at", metavar="TIME", help="Use it from this time on (ISO 8601; local time)."),
    ] = None
    if_changed: Annotated[
        bool,
        typer.Option("--if-changed", help="Print nothing when it is in use already; for renewal hooks."),
    ] = False
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the certificate, change nothing.")] = False
    list_pending: Annotated[bool, typer.Option("--list", help="Show delayed imports.")] = False
    cancel: Annotated[
        str | None, typer.Option("--cancel", metavar="NAME", help="Cancel a delayed import.")
    ] = None
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Allow a certificate older than the one in use.")
    ] = False
    activate: Annotated[str | None, typer.Option("--activate", metavar="NAME", hidden=True)] = None

    def request(self) -> "ImportRequest":
        """All of them as values. Raises UsageError `delay-unclear`."""
        from mstunnel_setup.operations.certificate.import_certificate import ImportRequest

        return ImportRequest(
            delay=self._delay(),
            at=self.at,
            if_changed=self.if_changed,
            dry_run=self.dry_run,
            list_pending=self.list_pending,
            cancel=self.cancel,
            yes=self.yes,
            activate=self.activate,
        )

    def _delay(self) -> int | None:
        """The minutes of `--delay N`, or of the vendor's `delay N`."""
        if self.word is None:
            return self.delay
        if self.word == "delay" and (number := whole_number(self.minutes or "")) is not None:
            return number
        raise UsageError(
            "delay-unclear",
            "`{words}` is not a delay",
            hint="Write `delay` and a number of minutes, as in `mst-cli import_cert delay 10080`.",
            words=" ".join(filter(None, (self.word, self.minutes))),
        )
