"""Whether devices can connect to a release, judged by those that were connected before the switch."""

import re
from collections.abc import Collection
from typing import Final, Literal, TypeAlias

Verdict: TypeAlias = Literal["let-in", "refused", "away"]

# ocserv 1.3.0, worker-log.c and worker-auth.c; an error, so it is logged at every level, with its source.
_REFUSAL: Final = re.compile(
    r"worker(?:\[[^\]]*\])?: ([0-9a-fA-F.:]+) (?:[\w.-]+:\d+: )?failed authentication for "
)


def refused_addresses(log: str) -> frozenset[str]:
    """The addresses of devices whose sign-in the gateway refused, from its log."""
    return frozenset(_REFUSAL.findall(log))


def judge(connected: int, before: Collection[str], refused: Collection[str]) -> Verdict:
    """Judge a new release by its sessions and the addresses that it refused.

    `before` are the addresses that were connected. Other refused addresses prove nothing, the earlier release
    may have refused them too; nor does a device that has not reconnected, it may sleep.
    """
    if connected:
        return "let-in"
    return "refused" if set(before) & set(refused) else "away"
