"""Podman's command line for containers of others, in the recording engine."""

import json
from collections.abc import Sequence
from typing import Any

from tests.unit.vendor import described

VERBS = ("container", "update", "stop", "start", "rename")
"""What the stand-in does; the rest is for the Podman of this machine."""


def answer(containers: dict[str, dict[str, Any]], arguments: Sequence[str]) -> dict[str, Any]:
    """What the command does to the containers, and what it prints."""
    verb, *options = arguments
    name = options[0] if verb == "rename" else options[-1]
    if name not in containers:
        return {"code": 125, "output": "[]\n", "error": f"Error: no such container {name}\n"}
    found = containers[name]
    if verb == "update":
        found["restart"] = options[0].removeprefix("--restart=")
    elif verb == "rename":
        assert options[1] not in containers
        containers[options[1]] = containers.pop(name)
    elif verb in ("stop", "start"):
        found["status"] = "running" if verb == "start" else "exited"
    else:
        assert (verb, options[0]) == ("container", "inspect")
        shown = described(name, running=found["status"] == "running", labels=found["labels"])
        shown["HostConfig"]["RestartPolicy"]["Name"] = found.get("restart", "no")
        return {"code": 0, "output": json.dumps([shown])}
    return {"code": 0, "output": ""}
