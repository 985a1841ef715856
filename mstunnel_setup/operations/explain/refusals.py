"""What the gateway's log tells about a device: sign-ins that were refused, and its last session."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mstunnel_setup.base.text import plain
from mstunnel_setup.operations.gateway_log import SessionRecord, session_record
from mstunnel_setup.operations.upgrade.reconnect import refused_addresses

_REASON: Final = re.compile(r"ocserv-oidc: (?!fetched new JWK)(.*)")
"""What is logged of a token; the keys that the gateway downloads are logged under the same name."""
_LONGEST: Final = 120


@dataclass(frozen=True)
class LogFindings:
    """Of the subject: how many sign-ins were `refused`, why the last one, and its `last` session record.

    `others` counts the refused sign-ins of all other addresses; the log names no user for a refused one.
    """

    refused: int = 0
    reason: str = ""
    others: int = 0
    last: SessionRecord | None = None


def read_log(lines: Iterable[str], subject: str) -> LogFindings:
    """The findings about `subject`, a user or an address, in the lines of a log of any length.

    ocserv logs the reason on the lines before the refusal, the most exact one first; those of devices that
    sign in at the same moment can be mixed up.
    """
    refused = others = 0
    waiting = reason = ""
    last: SessionRecord | None = None
    for line in lines:
        record = session_record(line)
        if record is not None and subject in (record.user, record.client, record.assigned):
            last = record
        elif found := _REASON.search(line):
            waiting = waiting or plain(found[1], _LONGEST)
        elif addresses := refused_addresses(line):
            if subject in addresses:
                refused, reason = refused + 1, waiting
            else:
                others += 1
            waiting = ""
    return LogFindings(refused, reason, others, last)
