"""The release that a host offers its agent, and the time from which the agent may take it."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.exchange.agent_settings import read_agent_settings
from mstunnel_setup.exchange.release_catalogue import Digests, Release, ReleaseCatalogue, running_images
from mstunnel_setup.io.files import Files


def offer_here(files: Files, catalogue: ReleaseCatalogue, now: datetime) -> Release | None:
    """Return the release that the agent may request once it has soaked."""
    return catalogue.offer(_own_site(files), _own_images(files), now)


def soaking(files: Files, catalogue: ReleaseCatalogue, now: datetime) -> tuple[Release, datetime] | None:
    """Return the offered release and the time (UTC) until which it soaks; None if none does."""
    offer = offer_here(files, catalogue, now)
    if offer is None or offer.digests == _own_images(files):
        return None
    until = catalogue.soaking_until(offer, now)
    return None if until is None else (offer, until)


def first_offers(
    files: Files, catalogue: ReleaseCatalogue, before: Mapping[str, datetime], now: datetime
) -> dict[str, datetime]:
    """Return when each release of the catalogue was first offered to this host, by its digests.

    `before` are the times known so far. A release that is not for this host yet has none.
    """
    site = _own_site(files)
    found: dict[str, datetime] = {}
    for release in catalogue.releases:
        key = str(release.digests)
        if key in before or catalogue.reaches(release, site):
            # A time after `now` was written before the clock was set back.
            found[key] = min(before.get(key, now), now)
    return found


def _own_site(files: Files) -> str:
    """Return the id of this server's site; empty if it is unknown: it then is like another site."""
    with suppress(SetupError):
        return read_agent_settings(files).site_id
    return ""


def _own_images(files: Files) -> Digests | None:
    with suppress(SetupError):
        return running_images(files)
    return None
