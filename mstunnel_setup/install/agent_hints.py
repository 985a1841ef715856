"""What to do about an error that the agent names by its code: our own words, never those of its report.

A compromised agent writes what it likes, and what is printed as a hint is what root does next.
"""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from mstunnel_setup.base.text import text

AGENT_LOGS = text("`mst-cli agent logs --tail 20` shows why.")


@cache
def agent_hints() -> Mapping[str, str]:
    """The hints of all errors that an agent can report, by code; empty where one needs values of the agent.

    The file is generated from the source (scripts/docs.py).
    """
    file = files("mstunnel_setup") / "data/agent-hints.json"
    hints: Mapping[str, str] = json.loads(file.read_text("utf-8"))
    return hints
