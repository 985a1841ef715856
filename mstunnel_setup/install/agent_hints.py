"""What to do about an error in the agent's report of its health.

The hints are our own words, never those of the report: a compromised agent writes what it likes, and what is
printed as a hint is what root does next.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files as package_files
from typing import Final

from mstunnel_setup.base.text import text

AGENT_LOGS: Final = text("`mst-cli agent logs --tail 20` shows why.")


@cache
def agent_hints() -> Mapping[str, str]:
    """The hints of all errors that an agent can report, by code; empty where one needs values of the agent.

    The file is generated from the source (scripts/docs.py).
    """
    file = package_files("mstunnel_setup") / "data/agent-hints.json"
    hints: Mapping[str, str] = json.loads(file.read_text("utf-8"))
    return hints
