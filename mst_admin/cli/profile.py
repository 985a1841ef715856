"""`mst-admin profile`: VPN profiles."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, Yes, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

_PROGRAM = "mst-admin profile"
profile_app = new_group()

Wanted = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The profile in the tenant.")]


@profile_app.command("list")
@with_options
def list_(common: CommonOptions, sign_in: SignInOptions) -> None:
    """List the VPN profiles for Microsoft Tunnel."""
    from mst_admin import profile_commands

    run_command(
        f"{_PROGRAM} list",
        common,
        lambda operator: profile_commands.list_profiles(operator, sign_in.settings()),
    )


@profile_app.command()
@with_options
def show(common: CommonOptions, sign_in: SignInOptions, wanted: Wanted) -> None:
    """Show a profile of the tenant, and to whom it is assigned."""
    from mst_admin import profile_commands

    run_command(
        f"{_PROGRAM} show",
        common,
        lambda operator: profile_commands.show(operator, sign_in.settings(), wanted),
    )


@profile_app.command()
@with_options
def create(
    common: CommonOptions,
    sign_in: SignInOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The profile, in YAML.")],
) -> None:
    """Check a profile, create it with its trusted root, and assign both."""
    from mst_admin import profile_commands

    run_command(
        f"{_PROGRAM} create",
        common,
        lambda operator: profile_commands.create(operator, sign_in.settings(), file),
    )


@profile_app.command()
@with_options
def update(
    common: CommonOptions,
    sign_in: SignInOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The profile, in YAML.")],
) -> None:
    """Change a profile, its trusted root and its groups to match a file."""
    from mst_admin import profile_commands

    run_command(
        f"{_PROGRAM} update",
        common,
        lambda operator: profile_commands.update(operator, sign_in.settings(), file),
    )


@profile_app.command()
@with_options
def delete(
    common: CommonOptions,
    sign_in: SignInOptions,
    wanted: Wanted,
    yes: Yes = False,
) -> None:
    """Delete a profile and its trusted root."""
    from mst_admin import profile_commands

    run_command(
        f"{_PROGRAM} delete",
        common,
        lambda operator: profile_commands.delete(operator, sign_in.settings(), wanted, yes=yes),
    )


@profile_app.command()
@with_options
def lint(
    common: CommonOptions,
    sign_in: SignInOptions,
    wanted: Annotated[
        str, typer.Argument(metavar="FILE_OR_NAME", help="A file, or a profile of the tenant by name or id.")
    ],
) -> None:
    """Show the problems of a profile: a file (without sign-in), or one of the tenant."""
    from mst_admin import profile_commands

    run_command(
        f"{_PROGRAM} lint",
        common,
        lambda operator: profile_commands.lint(operator, sign_in.settings(), wanted),
    )


@profile_app.command()
@with_options
def schema(common: CommonOptions) -> None:
    """Print the JSON Schema of profile files, for editors."""
    from mst_admin import profile_commands

    run_command(f"{_PROGRAM} schema", common, lambda _operator: profile_commands.schema())
