"""Hints for the errors in the agent's health report.

The hints come from this program and never from the report: root follows a printed hint, and a compromised
agent can write any text into its report.
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

# For these codes the generated hints describe an installation, so `fix_of` uses `ENROL_AGAIN` instead.
_UNKNOWN_IDENTITY: Final = ("server-unknown", "application-unknown", "credential-unknown", "secret-wrong")


@cache
def agent_hints() -> Mapping[str, str]:
    """Return the hints of all errors that an agent can report, by code; empty if one needs runtime values.

    The file is generated from the source (scripts/docs/reference.py).
    """
    file = package_files("mstunnel_setup") / "data/agent-hints.json"
    hints: Mapping[str, str] = json.loads(file.read_text("utf-8"))  # noqa: TID251 (a file of the package)
    return hints


def agent_problem(error: SyncFailure) -> Problem:
    """Return the agent's error with its message and a hint of this program.

    An unknown code is replaced by `agent-problem`.
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
    """Return a hint, with a command, for an error of the agent."""
    hint = ENROL_AGAIN if error.code in _UNKNOWN_IDENTITY else agent_hints().get(error.code, "")
    return hint if "`" in hint else joined(filter(None, (hint, AGENT_LOGS)))
