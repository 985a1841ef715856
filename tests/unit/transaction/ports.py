"""What actions on files get to see."""

from dataclasses import dataclass
from typing import Any

from mstunnel_setup.io.files import Files


@dataclass
class Ports(Any):
    """A root and where the engine keeps its state below it."""

    files: Files
    state_directory: str = "/state"
