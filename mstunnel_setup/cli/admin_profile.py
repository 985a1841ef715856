"""`mst-admin profile` and `mst-admin proxy-exclusions`: options and names."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command

_PROFILE = "mst-admin profile"
_EXCLUSIONS = "mst-admin proxy-exclusions"
profile_app = new_group("VPN profiles for Android Enterprise and iOS.")
exclusions_app = new_group("Proxy exclusion lists of Android profiles.")

Wanted = Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="The profile in the tenant.")]
Profile = Annotated[str, typer.Option("--profile", metavar="NAME_OR_ID", help="The profile in the tenant.")]


@profile_app.command("list")
@with_options
def list_(common: CommonOptions, sign_in: SignInOptions) -> None:
    """List the VPN profiles for Microsoft Tunnel."""
    from mstunnel_setup.admin.profile_commands import list_profiles as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROFILE} list", common, lambda operator: run(operator, sign_in.settings()))


@profile_app.command()
@with_options
def show(common: CommonOptions, sign_in: SignInOptions, wanted: Wanted) -> None:
    """Show a profile of the tenant, and to whom it is assigned."""
    from mstunnel_setup.admin.profile_commands import show as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROFILE} show", common, lambda operator: run(operator, sign_in.settings(), wanted))


@profile_app.command()
@with_options
def create(
    common: CommonOptions,
    sign_in: SignInOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The profile, in YAML.")],
) -> None:
    """Check a profile, create it with its trusted root, and assign both."""
    from mstunnel_setup.admin.profile_commands import create as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROFILE} create", common, lambda operator: run(operator, sign_in.settings(), file))


@profile_app.command()
@with_options
def update(
    common: CommonOptions,
    sign_in: SignInOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The profile, in YAML.")],
) -> None:
    """Change a profile, its trusted root and its groups to match a file."""
    from mstunnel_setup.admin.profile_commands import update as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROFILE} update", common, lambda operator: run(operator, sign_in.settings(), file))


@profile_app.command()
@with_options
def delete(
    common: CommonOptions,
    sign_in: SignInOptions,
    wanted: Wanted,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
) -> None:
    """Delete a profile and its trusted root."""
    from mstunnel_setup.admin.profile_commands import delete as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(
        f"{_PROFILE} delete", common, lambda operator: run(operator, sign_in.settings(), wanted, yes=yes)
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
    from mstunnel_setup.admin.profile_commands import lint as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROFILE} lint", common, lambda operator: run(operator, sign_in.settings(), wanted))


@profile_app.command()
@with_options
def schema(common: CommonOptions) -> None:
    """Print the JSON Schema of profile files, for editors."""
    from mstunnel_setup.admin.profile_commands import schema as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROFILE} schema", common, lambda _operator: run())


@exclusions_app.command()
@with_options
def check(
    common: CommonOptions,
    entries: Annotated[
        list[str], typer.Argument(metavar="FILE_OR_ENTRY...", help="CSV files, or single entries.")
    ],
) -> None:
    """Show which entries Android accepts."""
    from mstunnel_setup.admin.proxy_exclusions import check as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_EXCLUSIONS} check", common, lambda _operator: run(entries))


@exclusions_app.command("import")
@with_options
def import_(
    common: CommonOptions,
    sign_in: SignInOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list, in CSV.")],
    profile: Profile,
) -> None:
    """Replace the list of a profile with that of a CSV file."""
    from mstunnel_setup.admin.proxy_exclusions import import_list as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(
        f"{_EXCLUSIONS} import", common, lambda operator: run(operator, sign_in.settings(), file, profile)
    )


@exclusions_app.command()
@with_options
def export(
    common: CommonOptions,
    sign_in: SignInOptions,
    profile: Profile,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="CSV file to write; without it, standard output.")
    ] = None,
) -> None:
    """Write the list of a profile as CSV."""
    from mstunnel_setup.admin.proxy_exclusions import export_list as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(
        f"{_EXCLUSIONS} export", common, lambda operator: run(operator, sign_in.settings(), profile, file)
    )
