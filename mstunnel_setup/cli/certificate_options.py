"""Options of the certificate commands."""

from dataclasses import dataclass
from typing import Annotated

import typer

from mstunnel_setup.cli.errors import DELAY_UNCLEAR
from mstunnel_setup.foreign import whole_number
from mstunnel_setup.operations.certificate.import_request import ImportRequest


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

    def request(self) -> ImportRequest:
        """All of them as values. Raises UsageError `delay-unclear`."""
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
        raise DELAY_UNCLEAR(words=" ".join(filter(None, (self.word, self.minutes))))
