"""What to do about an error that the agent names by its code: our own words, never those of its report.

A compromised agent writes what it likes, and what is printed as a hint is what root does next.
"""

from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any, Final

from mstunnel_setup.base import errors
from mstunnel_setup.base.errors import Declared
from mstunnel_setup.certificates import errors as tls_errors
from mstunnel_setup.exchange import errors as upgrade_errors
from mstunnel_setup.gateway import errors as gateway_errors
from mstunnel_setup.io import errors as host_errors
from mstunnel_setup.tenant import errors as tenant_errors
from mstunnel_setup.tenant import sign_in_errors

AGENT_LOGS: Final = "`mst-cli agent logs --tail 20` shows why."


def hints_of(*modules: ModuleType) -> dict[str, str]:
    """The hints that these modules declare, by code; empty where one needs values of the agent."""
    return {item.code: "" if "{" in item.hint else item.hint for item in _declared(modules)}


def _declared(modules: tuple[ModuleType, ...]) -> Iterator[Declared[Any]]:
    """Those with a name, and those in a table."""
    for module in modules:
        for value in vars(module).values():
            found = value.values() if isinstance(value, Mapping) else (value,)
            yield from (item for item in found if isinstance(item, Declared))


HINTS: Final[Mapping[str, str]] = hints_of(
    *(errors, host_errors, tenant_errors, sign_in_errors, gateway_errors, tls_errors, upgrade_errors)
)
"""What the packages that an agent uses declare."""
