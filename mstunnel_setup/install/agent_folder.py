"""What the agent may change, and the names by which administrators know its files."""

import os
from collections.abc import Sequence
from pathlib import PurePosixPath

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import LinkInPlace
from mstunnel_setup.install.ports import Ports
from mstunnel_setup.system.give_to_agent import GiveToAgent


def given(folder: str, *, rootless: bool) -> Sequence[Action[Ports]]:
    """The action that lets the agent write into a folder; none without root, where it is the account."""
    return () if rootless else (GiveToAgent(path=folder),)


def usual_name(path: str) -> LinkInPlace:
    """The action that makes a file of the agent known by the name that the vendor's reference has for it."""
    name = paths.USUAL_NAMES[path]
    return LinkInPlace(path=name, target=os.path.relpath(path, PurePosixPath(name).parent))
