"""All checks, in the order of the report."""

import difflib
from collections.abc import Iterable

from mstunnel_setup.readiness.checks import (
    account,
    addresses,
    certificate,
    host,
    inbound,
    network,
    proxies,
    rootless,
    utils,
)
from mstunnel_setup.readiness.errors import CHECK_UNKNOWN
from mstunnel_setup.readiness.model import Check, Group

CHECKS: tuple[Check, ...] = (
    *utils.CHECKS,
    *host.CHECKS,
    *addresses.CHECKS,
    *network.CHECKS,
    *proxies.CHECKS,
    *certificate.CHECKS,
    *rootless.CHECKS,
    *account.CHECKS,
    *inbound.CHECKS,
)


def of(groups: frozenset[Group]) -> tuple[Check, ...]:
    """The checks of these groups."""
    return tuple(item for item in CHECKS if item.group in groups)


def refuse_unknown(ignored: Iterable[str], more: Iterable[str] = ()) -> None:
    """Raise UsageError for a check to ignore that is neither one of these nor of `more`."""
    names = [*(item.id for item in CHECKS), *more]
    for name in ignored:
        if name not in names:
            near = difflib.get_close_matches(name, names, 1)
            raise CHECK_UNKNOWN(name=name, suggestion=f"; did you mean {near[0]}?" if near else "")
