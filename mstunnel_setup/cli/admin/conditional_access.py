"""`mst-admin conditional-access`: the application that Conditional Access policies name."""

from typing import TYPE_CHECKING

from mstunnel_setup.cli.lazy import LazyModule
from mstunnel_setup.cli.options import CommonOptions, SignInOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command

if TYPE_CHECKING:
    from mstunnel_setup.admin import cloud_app
else:
    cloud_app = LazyModule("admin.cloud_app")

_PROGRAM = "mst-admin conditional-access"
access_app = new_group()


@access_app.command()
@with_options
def status(common: CommonOptions, sign_in: SignInOptions) -> None:
    """Show whether the tenant has the cloud app, so that policies can name it."""
    run_command(f"{_PROGRAM} status", common, lambda operator: cloud_app.status(operator, sign_in.settings()))


@access_app.command()
@with_options
def provision(common: CommonOptions, sign_in: SignInOptions) -> None:
    """Add the cloud app to the tenant if it is missing."""
    run_command(
        f"{_PROGRAM} provision", common, lambda operator: cloud_app.provision(operator, sign_in.settings())
    )
