"""The administrator's rules for upgrades that the agent requests: when they begin, and what is approved.

The agent follows the site's settings in the tenant. A compromised agent does not, and it could change those
settings, so that only a file of the host, where the agent cannot write, can stop it.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Annotated, Final
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BaseModel

from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.parsing import toml_table
from mstunnel_setup.base.text import text
from mstunnel_setup.exchange.release_catalogue import (
    CATALOGUE,
    Release,
    ReleaseCatalogue,
    TimeZone,
    reason_of,
)
from mstunnel_setup.exchange.window import Window
from mstunnel_setup.io.files import Files

RULES: Final = "/etc/mstunnel-setup/upgrades.toml"
_CLOCK: Final = "([01][0-9]|2[0-3]):[0-5][0-9]"


def _window(value: str) -> str:
    start, _, end = value.partition("-")
    if not re.fullmatch(f"{_CLOCK}-{_CLOCK}", value) or start == end:
        raise ValueError(f"{value!r} is not a window such as 22:00-04:00")
    return value


class _RulesFile(BaseModel, extra="forbid", defer_build=True):
    window: Annotated[str, AfterValidator(_window)] | None = None
    time_zone: TimeZone = "UTC"
    approved: list[str] | None = None


@dataclass(frozen=True)
class UpgradeRules:
    """The rules of this host. `approved` are names of releases; None approves every offered release."""

    window: Window | None = None
    approved: Collection[str] | None = None

    def objection(self, catalogue: ReleaseCatalogue, release: Release, now: datetime) -> str:
        """Return the reason why the agent may not begin the release now; empty if it may."""
        names = {item.name for item in catalogue.named(release.digests)}
        if self.approved is not None and not names & set(self.approved):
            return text(
                "release {name} is not in `approved` of {path} on this host", name=release.name, path=RULES
            )
        if until := catalogue.soaking_until(release, now):
            return text(
                "release {name} soaks until {until:%Y-%m-%d %H:%M} UTC (`soak_days` of {path} on this host)",
                name=release.name,
                until=until,
                path=CATALOGUE,
            )
        if self.window is not None and not self.window.contains(now):
            opens = self.window.opens(now)
            return text(
                "the window of {path} on this host opens at {opens:%Y-%m-%d %H:%M} UTC",
                path=RULES,
                opens=opens,
            )
        return ""


def read_rules(files: Files) -> UpgradeRules:
    """Return the rules of this host, none without the file. Raises UsageError `upgrades-invalid`."""
    content = files.read(RULES)
    if content is None:
        return UpgradeRules()
    try:
        file = _RulesFile.model_validate(toml_table(content.decode(errors="replace")))
    except ValueError as error:
        raise UsageError(
            "upgrades-invalid",
            "{path}: {reason}",
            hint=(
                'Write window = "22:00-04:00", time_zone = "Europe/Berlin" and approved = ["20261101.1"], or '
                "some of them. Until then the agent can upgrade nothing."
            ),
            path=RULES,
            reason=reason_of(error),
        ) from error
    if file.window is None:
        return UpgradeRules(approved=file.approved)
    start, end = map(time.fromisoformat, file.window.split("-"))
    zone = UTC if file.time_zone == "UTC" else ZoneInfo(file.time_zone)
    return UpgradeRules(Window(start, end, zone), file.approved)
