"""What the monitor tells the agent of the releases."""

from contextlib import suppress
from datetime import datetime

from pydantic import BaseModel

from mstunnel_setup.agent.upgrade import running as running_here
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.exchange import mailbox
from mstunnel_setup.exchange.agent_settings import read_agent_settings
from mstunnel_setup.exchange.mailbox import Summary
from mstunnel_setup.exchange.release_feed import offered
from mstunnel_setup.exchange.releases import Catalogue, Release
from mstunnel_setup.exchange.upgrade_history import read_history
from mstunnel_setup.io.files import Files


def show_offer(files: Files, now: datetime) -> None:
    """Have the agent find which release it may ask for, and what else it needs of the list."""
    catalogue = offered(files, now)
    if files.state(mailbox.OUTBOX) is None:
        return
    offer = offer_here(files, catalogue)
    _show(files, mailbox.OFFER, offer)
    present = running_here(files)
    behind = catalogue.behind(present) if present else None
    held = offer is not None and offer.digests in read_history(files).held
    summary = Summary(time_zone=catalogue.time_zone, behind=behind, held=held)
    # Without a list there is nothing to say, and nothing appears that no run has made.
    _show(files, mailbox.SUMMARY, summary if summary != Summary() else None)


def offer_here(files: Files, catalogue: Catalogue) -> Release | None:
    """The release that the agent may request at this site; an unknown site gets what every site gets."""
    site, present = "", None
    with suppress(SetupError):
        site = read_agent_settings(files).site_id
    with suppress(SetupError):
        present = running_here(files)
    return catalogue.newest_for(site, present)


def _show(files: Files, path: str, message: BaseModel | None) -> None:
    """Have the agent find this message there, or none; what stands there already is not written again."""
    content = message.model_dump_json(indent=2).encode() + b"\n" if message else None
    if files.read(path) == content:
        return
    if content is None:
        files.remove(path)
    else:
        files.write(path, content)
