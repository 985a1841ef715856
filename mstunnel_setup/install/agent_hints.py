"""What to do about an error in the agent's report of its health.

The hints are our own words, never those of the report: a compromised agent writes what it likes, and what is
printed as a hint is what root does next.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as package_files
from typing import Final

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.text import joined
from mstunnel_setup.exchange.health_report import AGENT_LOGS, ENROL_AGAIN, SyncFailure

# Of these errors of the agent our own hints are for an installation.
_UNKNOWN_IDENTITY: Final = ("server-unknown", "application-unknown", "credential-unknown", "secret-wrong")


@cache
def agent_hints() -> Mapping[str, str]:
    """The hints of all errors that an agent can report, by code; empty where one needs values of the agent.

    The file is generated from the source (scripts/docs/reference.py).
    """
    file = package_files("mstunnel_setup") / "data/agent-hints.json"
    hints: Mapping[str, str] = json.loads(file.read_text("utf-8"))  # noqa: TID251 (a file of the package)
    return hints


def agent_problem(error: SyncFailure) -> Problem:
    """What the agent fails at, in its words, and what to do about it in ours.

    A code that we do not declare is not passed on: it is `agent-problem`.
    """
    found = TenantError(
        "agent-problem",
        "the agent cannot sync with the tenant: {reason}",
        hint="`mst-cli agent logs --tail 20` shows why.",
        reason=error.message,
    )
    code = error.code if error.code in agent_hints() else found.code
    return Problem(code, found.message, fix_of(error))


def fix_of(error: SyncFailure) -> str:
    """How to fix an error of the agent, with a command in it."""
    hint = ENROL_AGAIN if error.code in _UNKNOWN_IDENTITY else agent_hints().get(error.code, "")
    return hint if "`" in hint else joined(filter(None, (hint, AGENT_LOGS)))
