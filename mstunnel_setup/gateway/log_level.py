"""The log level of ocserv: `DEBUG_LEVEL` of `env.sh`, or temporarily that of the verbose mode.

`mst_verbose_log=true` in `env.sh` is the highest level for as long as it stands there.

The verbose mode is a file next to `env.sh` with an expiry time; `DEBUG_LEVEL` applies again when the time is
over or the file is removed.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from mstunnel_setup.base import paths
from mstunnel_setup.base.parsing import whole_number
from mstunnel_setup.gateway.ocserv_conf import HIGHEST_LEVEL, HIGHEST_WITH_PASSWORDS, debug_level
from mstunnel_setup.gateway.options import served_settings
from mstunnel_setup.io.files import Files

VERBOSE_HOURS: Final = 8
"""As long as the admin center's verbose logs (docs/reference, monitoring)."""

_VERBOSE_SETTINGS: Final = ("mst_verbose_log", "mst_log_verbose")
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_LINE: Final = re.compile(rb"^log-level = \d{1,5}$", re.MULTILINE)


class _Verbose(BaseModel, frozen=True, extra="forbid"):
    version: Literal[1] = 1
    level: int = Field(ge=0, le=HIGHEST_LEVEL)
    until: AwareDatetime


@dataclass(frozen=True)
class LogLevel:
    """The current level; `until` is the end of the verbose mode, `usual` the level without it."""

    level: int
    usual: int
    until: datetime | None = None


def log_level(files: Files, settings: Mapping[str, str], now: datetime) -> LogLevel:
    """The level at the time `now`; `settings` are those of `env.sh`. Raises UsageError for an invalid one.

    Where devices authenticate with passwords it is lower, so that none is logged.
    """
    asks_radius = files.state(paths.RADIUS_CLIENT) is not None
    highest = HIGHEST_WITH_PASSWORDS if asks_radius else HIGHEST_LEVEL
    wanted = HIGHEST_LEVEL if is_verbose(settings) else debug_level(settings.get("DEBUG_LEVEL", ""))
    usual = min(wanted, highest)
    verbose = None
    # A damaged file, or one of a newer release, must not stop the gateway.
    with suppress(ValidationError, OverflowError):
        verbose = _Verbose.model_validate_json(files.read(paths.LOG_LEVEL) or b"")
    if verbose is None or verbose.until <= now:
        return LogLevel(usual, usual)
    return LogLevel(min(max(verbose.level, usual), highest), usual, verbose.until)


def is_verbose(settings: Mapping[str, str]) -> bool:
    """Whether `env.sh` wants detail in all logs, under either name that the vendor gave the setting."""
    return any(settings.get(name, "").lower() in _TRUE for name in _VERBOSE_SETTINGS)


def served_level(configuration: bytes) -> int | None:
    """The level in the text of an `ocserv.conf`; None when it names none."""
    return whole_number(served_settings(configuration).get("log-level", [""])[0], 5)


def with_level(configuration: bytes, level: int) -> bytes:
    """The text of an `ocserv.conf` with another level."""
    return _LINE.sub(b"log-level = %d" % level, configuration)


def begin_verbose(files: Files, until: datetime) -> None:
    """Log at the highest level until then."""
    content = _Verbose(level=HIGHEST_LEVEL, until=until).model_dump_json()
    files.write(paths.LOG_LEVEL, f"{content}\n".encode(), 0o644)
