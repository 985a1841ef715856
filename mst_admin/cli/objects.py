"""The commands that the kinds of objects share, from `list` and `create` to `lint` and `schema`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from mst_admin.kinds.kind import CommandKind
from mstunnel_setup.base.result import Result
from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, Yes, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command
from mstunnel_setup.io.operator import Operator

Command: TypeAlias = Callable[..., None]


@dataclass(frozen=True)
class ObjectCommands:
    """The commands of one kind. `help` has the text of each command, in the order of the commands.

    `wanted`, `file` and `either` are what the arguments that name an object, a file, or one of both are.
    Where objects are created by `options`, these are a dataclass of typer options that has what
    `object_commands.ObjectOptions` has. `own` are commands that only this kind has so.
    """

    kind: CommandKind[Any, Any]
    help: Mapping[str, str]
    wanted: str = "The object in the tenant."
    file: str = "The object, in YAML."
    either: str = "A file, or an object of the tenant by name or id."
    metavar: str = "NAME_OR_ID"
    options: type | None = None
    own: Mapping[str, Command] = field(default_factory=dict)

    def app(self) -> typer.Typer:
        """The group with all commands."""
        app = new_group()
        for name, text in self.help.items():
            command = self.own.get(name) or with_options(self._command(name))
            app.command(name, help=text)(command)
        return app

    def _command(self, name: str) -> Command:
        if name in {"create", "update"} and self.options is not None:
            return self._create(self.options) if name == "create" else self._update(self.options)
        common = {"list": self._list, "delete": self._delete, "schema": self._schema}
        return common[name]() if name in common else self._about_one(name)

    def _run(self, name: str, common: CommonOptions, work: Callable[[Operator], Result]) -> None:
        run_command(f"mst-admin {self.kind.command} {name}", common, work)

    def _argument(self) -> object:
        return Annotated[str, typer.Argument(metavar=self.metavar, help=self.wanted)]

    def _list(self) -> Command:
        def run(common: CommonOptions, sign_in: SignInOptions) -> None:
            from mst_admin import object_commands as work

            self._run(
                "list", common, lambda operator: work.list_objects(self.kind, operator, sign_in.settings())
            )

        return run

    def _about_one(self, name: str) -> Command:
        """A command about what its one argument names."""

        def run(common: CommonOptions, sign_in: SignInOptions, named: Any) -> None:
            from mst_admin import object_commands as work

            def do(operator: Operator) -> Result:
                if name == "show":
                    return work.show(self.kind, operator, sign_in.settings(), named)
                if name == "lint":
                    return work.lint(self.kind, operator, sign_in.settings(), named)  # type: ignore[arg-type]
                return work.write_from_file(
                    self.kind,  # type: ignore[arg-type]
                    operator,
                    sign_in.settings(),
                    named,
                    new=name == "create",
                )

            self._run(name, common, do)

        file = Annotated[Path, typer.Argument(metavar="FILE", help=self.file)]
        either = Annotated[str, typer.Argument(metavar="FILE_OR_NAME", help=self.either)]
        arguments = {"show": self._argument(), "lint": either}
        run.__annotations__["named"] = arguments.get(name, file)
        return run

    def _delete(self) -> Command:
        def run(common: CommonOptions, sign_in: SignInOptions, wanted: str, yes: Yes = False) -> None:
            from mst_admin import object_commands as work

            self._run(
                "delete",
                common,
                lambda operator: work.delete(self.kind, operator, sign_in.settings(), wanted, yes=yes),
            )

        run.__annotations__["wanted"] = self._argument()
        return run

    def _schema(self) -> Command:
        def run(common: CommonOptions) -> None:
            from mst_admin import object_commands as work

            self._run("schema", common, lambda _operator: work.schema(self.kind.file))  # type: ignore[attr-defined]

        return run

    def _create(self, options_type: type) -> Command:
        def run(
            common: CommonOptions,
            sign_in: SignInOptions,
            options: Any,
            name: Annotated[str, typer.Argument(help=f"Name of the new {self.kind.what}.")],
        ) -> None:
            from mst_admin import object_commands as work

            self._run(
                "create",
                common,
                lambda operator: work.create_from_options(
                    self.kind,  # type: ignore[arg-type]
                    operator,
                    sign_in.settings(),
                    options,
                    name,
                ),
            )

        run.__annotations__["options"] = options_type
        return run

    def _update(self, options_type: type) -> Command:
        def run(
            common: CommonOptions,
            sign_in: SignInOptions,
            options: Any,
            wanted: str,
            name: Annotated[str | None, typer.Option("--name", help="New name.")] = None,
        ) -> None:
            from mst_admin import object_commands as work

            self._run(
                "update",
                common,
                lambda operator: work.update_from_options(
                    self.kind,  # type: ignore[arg-type]
                    operator,
                    sign_in.settings(),
                    options,
                    (wanted, name),
                ),
            )

        run.__annotations__ |= {"options": options_type, "wanted": self._argument()}
        return run


def option_help(many: str, one: str, condition: str) -> dict[str, str]:
    """The help of the commands of a kind whose objects are created by options."""
    return {
        "list": f"List the {many} of the tenant.",
        "show": f"Show one {one}.",
        "create": f"Create a {one}; its values are checked first.",
        "update": "Change the given properties; servers follow within minutes.",
        "delete": f"Delete a {one} {condition}.",
    }


def file_help(many: str, one: str) -> dict[str, str]:
    """The help of the commands of a kind whose objects have a file each."""
    return {
        "list": f"List the {many} of the tenant.",
        "show": f"Show one {one} as a file would declare it.",
        "create": f"Check a file and create the {one} with its assignments.",
        "update": f"Change one {one} to match a file.",
        "delete": f"Delete one {one}.",
        "lint": f"Show the problems of one {one}: a file (without sign-in), or one of the tenant.",
        "schema": "Print the JSON Schema of files, for editors.",
    }
