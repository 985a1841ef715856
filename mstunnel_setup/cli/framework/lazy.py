"""Groups of commands are imported when they are needed."""

from collections.abc import MutableMapping
from functools import cached_property
from importlib import import_module
from typing import ClassVar

import typer
from typer._click.core import Command

from mstunnel_setup.cli.framework.help import Word
from mstunnel_setup.cli.framework.options import new_group


class LazyGroup(Word):
    """A group with the commands of the typer app `name` in `module`."""

    module: ClassVar[str]
    name_of_app: ClassVar[str]

    @cached_property
    def _loaded(self) -> MutableMapping[str, Command]:
        found = typer.main.get_command(getattr(import_module(self.module), self.name_of_app))
        commands: MutableMapping[str, Command] = vars(found)["commands"]
        return commands

    @property
    def commands(self) -> MutableMapping[str, Command]:
        """The commands by name."""
        return self._loaded

    @commands.setter
    def commands(self, value: MutableMapping[str, Command]) -> None:
        """Ignore the commands that typer has found, for there are none."""


def add_lazy_group(parent: typer.Typer, name: str, about: str, module: str, app: str) -> None:
    """Give `parent` the group `name`: the typer app called `app` in `module` of this package."""
    group = new_group(about)
    group.info.cls = type(
        LazyGroup.__name__, (LazyGroup,), {"module": f"mstunnel_setup.cli.{module}", "name_of_app": app}
    )
    parent.add_typer(group, name=name)
