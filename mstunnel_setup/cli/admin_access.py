"""`mst-admin conditional-access`: the application that Conditional Access policies name."""

from typing import TYPE_CHECKING

from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command

if TYPE_CHECKING:
    pass

_PROGRAM = "mst-admin conditional-access"
access_app = new_group("The cloud app Microsoft Tunnel Gateway, which Conditional Access policies name.")


@access_app.command()
@with_options
def status(common: CommonOptions, sign_in: SignInOptions) -> None:
    """Show whether the tenant has the cloud app, so that policies can name it."""
    from mstunnel_setup.admin.cloud_app import status as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} status", common, lambda operator: run(operator, sign_in.settings()))


@access_app.command()
@with_options
def provision(common: CommonOptions, sign_in: SignInOptions) -> None:
    """Add the cloud app to the tenant if it is missing."""
    from mstunnel_setup.admin.cloud_app import provision as run  # noqa: PLC0415 (`--help` stays fast)

    run_command(f"{_PROGRAM} provision", common, lambda operator: run(operator, sign_in.settings()))
