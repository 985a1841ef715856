"""`mst-admin proxy-exclusions`: the proxy exclusion lists of Android profiles."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

_PROGRAM = "mst-admin proxy-exclusions"
exclusions_app = new_group()

Profile = Annotated[str, typer.Option("--profile", metavar="NAME_OR_ID", help="The profile in the tenant.")]


@exclusions_app.command()
@with_options
def check(
    common: CommonOptions,
    entries: Annotated[
        list[str], typer.Argument(metavar="FILE_OR_ENTRY...", help="CSV files, or single entries.")
    ],
) -> None:
    """Show which entries Android accepts."""
    from mst_admin import proxy_exclusions as work

    run_command(f"{_PROGRAM} check", common, lambda operator: work.check(operator, entries))


@exclusions_app.command("import")
@with_options
def import_(
    common: CommonOptions,
    sign_in: SignInOptions,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The list, in CSV.")],
    profile: Profile,
) -> None:
    """Replace the list of a profile with that of a CSV file."""
    from mst_admin import proxy_exclusions as work

    run_command(
        f"{_PROGRAM} import",
        common,
        lambda operator: work.import_list(operator, sign_in.settings(), file, profile),
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
    from mst_admin import proxy_exclusions as work

    run_command(
        f"{_PROGRAM} export",
        common,
        lambda operator: work.export_list(operator, sign_in.settings(), profile, file),
    )
