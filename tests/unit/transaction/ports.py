"""Ports of a host for actions on files."""

from dataclasses import dataclass
from typing import Any

from mstunnel_setup.io.files import Files


@dataclass
class Ports(Any):
    """A root directory, and the engine's state directory below it."""

    files: Files
    state_directory: str = "/state"
