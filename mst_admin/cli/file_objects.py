"""The commands of objects that have a file each: from `list` and `create` to `lint` and `schema`."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from mst_admin.file_commands import FileObjects
from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, Yes, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

Wanted = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The object in the tenant.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="The object, in YAML.")]
FileOrName = Annotated[
    str, typer.Argument(metavar="FILE_OR_NAME", help="A file, or an object of the tenant by name or id.")
]


@dataclass(frozen=True)
class FileObjectCommands:
    """One kind of objects: its program, its names for one and for many, and the work, imported late."""

    program: str
    one: str
    many: str
    work: "Callable[[], FileObjects[Any, Any]]"

    def app(self) -> typer.Typer:
        """The seven commands."""
        one, app = self.one, new_group()
        for name, help_text, command in (
            ("list", f"List the {self.many} of the tenant.", self._list()),
            ("show", f"Show one {one} as a file would declare it.", self._about("show", Wanted)),
            (
                "create",
                f"Check a file and create the {one} with its assignments.",
                self._about("create", File),
            ),
            ("update", f"Change one {one} to match a file.", self._about("update", File)),
            ("delete", f"Delete one {one}.", self._delete()),
            (
                "lint",
                f"Show the problems of one {one}: a file (without sign-in), or one of the tenant.",
                self._about("lint", FileOrName),
            ),
            ("schema", "Print the JSON Schema of files, for editors.", self._schema()),
        ):
            app.command(name, help=help_text)(with_options(command))
        return app

    def _about(self, verb: str, argument: object) -> Callable[..., None]:
        """A command about the one thing that its argument names."""

        def run(common: CommonOptions, sign_in: SignInOptions, named: Any) -> None:
            run_command(
                f"{self.program} {verb}",
                common,
                lambda operator: getattr(self.work(), verb)(operator, sign_in.settings(), named),
            )

        run.__annotations__["named"] = argument
        return run

    def _list(self) -> Callable[..., None]:
        def run(common: CommonOptions, sign_in: SignInOptions) -> None:
            run_command(
                f"{self.program} list",
                common,
                lambda operator: self.work().list(operator, sign_in.settings()),
            )

        return run

    def _delete(self) -> Callable[..., None]:
        def run(common: CommonOptions, sign_in: SignInOptions, wanted: Wanted, yes: Yes = False) -> None:
            run_command(
                f"{self.program} delete",
                common,
                lambda operator: self.work().delete(operator, sign_in.settings(), wanted, yes=yes),
            )

        return run

    def _schema(self) -> Callable[..., None]:
        def run(common: CommonOptions) -> None:
            run_command(f"{self.program} schema", common, lambda _operator: self.work().schema())

        return run
