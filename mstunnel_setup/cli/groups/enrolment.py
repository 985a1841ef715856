"""`mst-cli site` and `mst-cli journal`: the site of this server, and the record of what was changed."""

from typing import Annotated

import typer

from mstunnel_setup.cli.framework.command import App, Work, simple_command, taking
from mstunnel_setup.cli.framework.options import (
    SignInOptions,
    Yes,
    settings_of,
)

site_app = App()
journal_app = App()

simple_command(site_app, "show", "Show the site this server belongs to.", "operations.registration:show")


@site_app.command("change", cls=taking(SignInOptions))
def change_site(
    context: typer.Context,
    site: Annotated[str, typer.Argument(metavar="ID_OR_NAME", help="The site to join.")],
) -> Work:
    """Leave the site for another one; certificate and identity stay."""
    from mstunnel_setup.operations import registration

    return lambda operator: registration.change(operator, settings_of(context), site)


@journal_app.command("repair")
def repair_journal(yes: Yes = False) -> Work:
    """Restore a damaged journal from its copy, after showing what the copy has."""
    from mstunnel_setup.install import journal_repair

    return lambda operator: journal_repair.repair(operator, yes=yes)
