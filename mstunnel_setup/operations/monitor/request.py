"""What the agent asks for: the message, and whether this server takes the release at its word."""

from datetime import datetime, timedelta
from typing import Final, NamedTuple

from mstunnel_setup.base.errors import StepError
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.releases import Catalogue, Digests
from mstunnel_setup.exchange.upgrade_history import read_history
from mstunnel_setup.io.files import Files
from mstunnel_setup.operations.monitor.limits import Ledger
from mstunnel_setup.operations.monitor.offer import offer_here

# What is removed at once of a directory that lies in the place of a request: a second of work.
_MOST_ENTRIES: Final = 10_000
# The agent asked because it was this server's turn, which is over at the latest when the window closes.
_LIFE: Final = timedelta(minutes=15)


class Asked(NamedTuple):
    """The release the agent asks for, and when it did, by the time of its file: seconds since 1970."""

    digests: Digests
    at: float

    def refuse_old(self, now: datetime) -> None:
        """Raise StepError when it is not from the last minutes; a time after `now` is not, either."""
        if abs(now.timestamp() - self.at) > _LIFE.total_seconds():
            raise StepError(
                "upgrade-request-old",
                ("the agent's request for an upgrade is not from the last {minutes} minutes, and is dropped"),
                hint=(
                    "The agent requests it again when it is this server's turn; to upgrade now, run "
                    "`mst-cli upgrade apply`."
                ),
                minutes=_LIFE // timedelta(minutes=1),
            )


def take(files: Files) -> Asked | None:
    """What the agent asks for; None when it withdrew it meanwhile. The message is gone afterwards.

    Raises StepError: it is no request.
    """
    at = files.modified(mailbox.REQUEST)
    try:
        content = files.read_untrusted(mailbox.REQUEST, mailbox.LONGEST)
        return None if at is None or content is None else Asked(mailbox.parse(content), at)
    finally:
        files.discard(mailbox.REQUEST, _MOST_ENTRIES)


def refusal(files: Files, catalogue: Catalogue, asked: Digests) -> str:
    """Why this server does not take a release at the agent's word; empty when it does.

    Only the newest is taken, and it once: a compromised agent cannot end sessions with it repeatedly.
    """
    if not catalogue.named(asked):
        return text("no release that is offered to this server has these images")
    offer = offer_here(files, catalogue)
    if offer is None or asked != offer.digests:
        return text("it is not the newest release that is offered to this site")
    history = read_history(files)
    if asked in history.failed:
        return text("it failed on this host before")
    if asked in history.held:
        return text("an administrator chose another release")
    return ""


def count_upgrade(files: Files, now: datetime) -> None:
    """Note one more upgrade. Raises StepError when the agent has had too many; it may ask again later."""
    ledger = Ledger(files)
    if wait := ledger.wait("upgrade", now):
        raise StepError(
            "upgrade-limited",
            ("the agent requested too many upgrades; the next one is allowed after {next:%H:%M} UTC"),
            hint="To upgrade now, run `mst-cli upgrade apply`.",
            next=now + wait,
        )
    ledger.take("upgrade", now)
