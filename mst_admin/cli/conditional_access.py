"""`mst-admin conditional-access`: the cloud app that policies name, and policies for it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.framework.options import CommonOptions, SignInOptions, Yes, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

_PROGRAM = "mst-admin conditional-access"
access_app = new_group()

PolicyFile = Annotated[Path, typer.Argument(metavar="FILE", help="The policies, in YAML.")]


@dataclass(frozen=True)
class PolicyOptions:
    """How policies are evaluated, and whether they may take effect."""

    user: Annotated[
        list[str] | None,
        typer.Option(
            "--user",
            metavar="USER",
            help="Evaluate sign-ins of this user (object id or user name); may be repeated.",
        ),
    ] = None
    enable: Annotated[
        bool,
        typer.Option("--enable", help="Enforce policies that are declared enabled and were report-only."),
    ] = False


@access_app.command()
@with_options
def status(common: CommonOptions, sign_in: SignInOptions) -> None:
    """Show whether the tenant has the cloud app, so that policies can name it."""
    from mst_admin.access import commands

    run_command(f"{_PROGRAM} status", common, lambda operator: commands.status(operator, sign_in.settings()))


@access_app.command()
@with_options
def provision(common: CommonOptions, sign_in: SignInOptions) -> None:
    """Add the cloud app to the tenant if it is missing."""
    from mst_admin.access import commands

    run_command(
        f"{_PROGRAM} provision", common, lambda operator: commands.provision(operator, sign_in.settings())
    )


@access_app.command()
@with_options
def plan(
    common: CommonOptions,
    sign_in: SignInOptions,
    how: PolicyOptions,
    file: PolicyFile,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help="Exit with code 20 when anything would change.")
    ] = False,
) -> None:
    """Show what `apply` would change, what breaks the tunnel, and who would get in."""
    from mst_admin.access import commands

    run_command(
        f"{_PROGRAM} plan",
        common,
        lambda operator: commands.plan(
            operator, sign_in.settings(), file, how.user or [], enable=how.enable, exit_code=exit_code
        ),
    )


@access_app.command()
@with_options
def apply(
    common: CommonOptions, sign_in: SignInOptions, how: PolicyOptions, file: PolicyFile, yes: Yes = False
) -> None:
    """Show the plan, ask, and create or change policies, in report-only mode first."""
    from mst_admin.access import commands

    run_command(
        f"{_PROGRAM} apply",
        common,
        lambda operator: commands.apply(
            operator, sign_in.settings(), file, how.user or [], enable=how.enable, yes=yes
        ),
    )
