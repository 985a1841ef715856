"""What is needed seldom is imported when it is needed.

This module is part of the vocabulary of every layer and imports nothing of ours.
"""

from importlib import import_module


class LazyModule:
    """The module `name` of mstunnel_setup, or of another package, imported when something of it is used.

    A module binds it where it is run, and what it names where types are checked.
    """

    def __init__(self, name: str) -> None:
        whole = name.startswith(("mst_admin.", "mstunnel_lab."))
        self._name = name if whole else f"mstunnel_setup.{name}"

    def __getattr__(self, attribute: str) -> object:
        return getattr(import_module(self._name), attribute)
