"""Whether a release lets devices in, by what becomes of those that were connected before the switch."""

import re
from collections.abc import Collection
from typing import Final, Literal, TypeAlias

Verdict: TypeAlias = Literal["let-in", "refused", "away"]

# ocserv 1.3.0, worker-log.c and worker-auth.c; an error, so it is said at every log level, with its place.
_REFUSAL: Final = re.compile(
    r"worker(?:\[[^\]]*\])?: ([0-9a-fA-F.:]+) (?:[\w.-]+:\d+: )?failed authentication for "
)


def refused_addresses(log: str) -> frozenset[str]:
    """The addresses of devices whose sign-in the gateway refused, from its log."""
    return frozenset(_REFUSAL.findall(log))


def judge(connected: int, before: Collection[str], refused: Collection[str]) -> Verdict:
    """What is known of a new release from its sessions, and from the addresses that it refused.

    `before` are the addresses that were connected. A stranger who is refused proves nothing: the earlier
    release may have refused him too. Nor does a device that has not come back: it may sleep.
    """
    if connected:
        return "let-in"
    return "refused" if set(before) & set(refused) else "away"
