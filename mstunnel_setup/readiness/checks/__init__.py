"""All checks, in the order of the report."""

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
