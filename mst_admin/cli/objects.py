"""`list`, `show`, `create`, `update`, `delete`: the commands that server configurations and sites share."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from mst_admin.object_commands import Objects
from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, Yes, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command


@dataclass(frozen=True)
class ObjectCommands:
    """One kind of objects: its program, its names, its options, and the work.

    `options` is a dataclass of typer options with a method `given`, that returns them by declared keys;
    `work` imports what carries the commands out.
    """

    program: str
    one: str
    many: str
    options: type
    work: "Callable[[], Objects[Any, Any, Any]]"
    condition: str = ""

    def app(self) -> typer.Typer:
        """The five commands."""
        app = new_group()
        app.command("list", help=f"List the {self.many} of the tenant.")(with_options(self._list()))
        app.command("show", help=f"Show one {self.one}.")(with_options(self._show()))
        app.command("create", help=f"Create a {self.one}; its values are checked first.")(
            with_options(self._create())
        )
        app.command("update", help="Change the given properties; servers follow within minutes.")(
            with_options(self._update())
        )
        app.command("delete", help=f"Delete a {self.one} {self.condition}.")(with_options(self._delete()))
        return app

    @property
    def wanted(self) -> object:
        """The argument that names one object."""
        return Annotated[str, typer.Argument(metavar="NAME_OR_ID", help=f"The {self.one}.")]

    def _list(self) -> Callable[..., None]:
        def run(common: CommonOptions, sign_in: SignInOptions) -> None:
            run_command(
                f"{self.program} list",
                common,
                lambda operator: self.work().list(operator, sign_in.settings()),
            )

        return run

    def _show(self) -> Callable[..., None]:
        def run(common: CommonOptions, sign_in: SignInOptions, wanted: str) -> None:
            run_command(
                f"{self.program} show",
                common,
                lambda operator: self.work().show(operator, sign_in.settings(), wanted),
            )

        return self._typed(run)

    def _create(self) -> Callable[..., None]:
        def run(
            common: CommonOptions,
            sign_in: SignInOptions,
            options: Any,
            name: Annotated[str, typer.Argument(help=f"Name of the new {self.one}.")],
        ) -> None:
            run_command(
                f"{self.program} create",
                common,
                lambda operator: self.work().create(operator, sign_in.settings(), options, name),
            )

        return self._typed(run)

    def _update(self) -> Callable[..., None]:
        def run(
            common: CommonOptions,
            sign_in: SignInOptions,
            options: Any,
            wanted: str,
            name: Annotated[str | None, typer.Option("--name", help="New name.")] = None,
        ) -> None:
            run_command(
                f"{self.program} update",
                common,
                lambda operator: self.work().update(operator, sign_in.settings(), options, wanted, name),
            )

        return self._typed(run)

    def _delete(self) -> Callable[..., None]:
        def run(common: CommonOptions, sign_in: SignInOptions, wanted: str, yes: Yes = False) -> None:
            run_command(
                f"{self.program} delete",
                common,
                lambda operator: self.work().delete(operator, sign_in.settings(), wanted, yes=yes),
            )

        return self._typed(run)

    def _typed(self, command: Callable[..., None]) -> Callable[..., None]:
        """The command with the types that only this kind knows, for typer to read."""
        known = {"options": self.options, "wanted": self.wanted}
        command.__annotations__ |= {name: known[name] for name in known if name in command.__annotations__}
        return command
