"""The commands shared by all kinds of objects, from `list` and `create` to `lint` and `schema`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from mst_admin.change_options import ChangeOptions
from mst_admin.object_options import ObjectOptions
from mstunnel_setup.cli.framework.command import App, Work, taking
from mstunnel_setup.cli.framework.options import SignInOptions, Yes, options_of, settings_of

_Command: TypeAlias = Callable[..., Work]


def object_group(
    kind: str,
    about: Mapping[str, str],
    named: Any,
    create: _Command,
    update: _Command,
    *options: type[ObjectOptions],
) -> App:
    """Return the command group `kind`; `about` has the help of each command.

    `named` is the argument for the name or id of an object, `options` those of `create` and `update`.
    """
    group = App()

    @group.command("list", help=about["list"], cls=taking(SignInOptions))
    def list_(context: typer.Context) -> Work:
        from mst_admin import object_commands as work

        return lambda operator: work.list_objects(kind, operator, settings_of(context))

    @group.command("show", help=about["show"], cls=taking(SignInOptions))
    def show(context: typer.Context, wanted: str = named) -> Work:
        from mst_admin import object_commands as work

        return lambda operator: work.show(kind, operator, settings_of(context), wanted)

    for name, function in (("create", create), ("update", update)):
        group.command(name, help=about[name], cls=taking(ChangeOptions, *options))(function)

    @group.command("delete", help=about["delete"], cls=taking(ChangeOptions))
    def delete(context: typer.Context, wanted: str = named, yes: Yes = False) -> Work:
        from mst_admin import object_commands as work

        return lambda operator: work.delete(
            kind, operator, settings_of(context, ChangeOptions), wanted, yes=yes
        )

    return group


def option_group(kind: str, options: type[ObjectOptions], many: str, one: str, condition: str) -> App:
    """Return the command group of a kind described by `options`, a dataclass of Typer options."""
    about = {
        "list": f"List the {many} of the tenant.",
        "show": f"Show one {one}.",
        "create": f"Create a {one}; its values are checked first.",
        "update": "Change the given properties; servers follow within minutes.",
        "delete": f"Delete a {one} {condition}.",
    }
    named = typer.Argument(metavar="NAME_OR_ID", help=f"The {one}.")
    new_name = typer.Argument(metavar="NAME", help=f"Name of the new {one}.")

    def create(context: typer.Context, name: str = new_name) -> Work:
        from mst_admin import object_commands as work

        return lambda operator: work.create_from_options(
            kind, operator, settings_of(context, ChangeOptions), options_of(context, options), name
        )

    def update(
        context: typer.Context,
        wanted: str = named,
        name: Annotated[str | None, typer.Option("--name", help="New name.")] = None,
    ) -> Work:
        from mst_admin import object_commands as work

        return lambda operator: work.update_from_options(
            kind, operator, settings_of(context, ChangeOptions), options_of(context, options), (wanted, name)
        )

    return object_group(kind, about, named, create, update, options)


def file_group(
    kind: str,
    many: str,
    one: str,
    about: Mapping[str, str] | None = None,
    arguments: tuple[str, str, str] = (
        "The object in the tenant.",
        "The object, in YAML.",
        "A file, or an object of the tenant by name or id.",
    ),
) -> App:
    """Return the command group of a kind whose objects are each described by a file.

    `about` overrides the default help of the commands. `arguments` overrides that of three arguments: an
    object, a file, and one that accepts both.
    """
    about = about or {
        "list": f"List the {many} of the tenant.",
        "show": f"Show one {one} as a file would declare it.",
        "create": f"Check a file and create the {one} with its assignments.",
        "update": f"Change one {one} to match a file.",
        "delete": f"Delete one {one}.",
        "lint": f"Show the problems of one {one}: a file (without sign-in), or one of the tenant.",
        "schema": "Print the JSON Schema of files, for editors.",
    }
    named, written, either = arguments
    one_file = typer.Argument(metavar="FILE", help=written)
    file_or_name = typer.Argument(metavar="FILE_OR_NAME", help=either)

    def create(context: typer.Context, file: Path = one_file) -> Work:
        from mst_admin import object_commands as work

        return lambda operator: work.write_from_file(
            kind, operator, settings_of(context, ChangeOptions), file, new=True
        )

    def update(context: typer.Context, file: Path = one_file) -> Work:
        from mst_admin import object_commands as work

        return lambda operator: work.write_from_file(
            kind, operator, settings_of(context, ChangeOptions), file, new=False
        )

    group = object_group(kind, about, typer.Argument(metavar="NAME_OR_ID", help=named), create, update)

    @group.command(help=about["lint"], cls=taking(SignInOptions))
    def lint(context: typer.Context, wanted: str = file_or_name) -> Work:
        from mst_admin import object_commands as work

        return lambda operator: work.lint(kind, operator, settings_of(context), wanted)

    @group.command(help=about["schema"])
    def schema() -> Work:
        from mst_admin import object_commands as work
        from mst_admin.kinds import FILE_KINDS

        return lambda _operator: work.schema(FILE_KINDS[kind].file)

    return group
