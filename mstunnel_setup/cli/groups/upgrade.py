"""`mst-cli upgrade`: upgrades of the two images."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.framework.command import App, Work, simple_command
from mstunnel_setup.exchange import MOST_DRAIN_MINUTES

upgrade_app = App()

simple_command(
    upgrade_app,
    "check",
    "Show the running release and the newest one.",
    "operations.upgrade.commands:check",
)


@upgrade_app.command("apply")
def upgrade(
    release: Annotated[str | None, typer.Argument(help="Name of a release; without it the newest.")] = None,
    drain: Annotated[
        int | None,
        typer.Option(
            "--drain",
            metavar="MINUTES",
            min=0,
            max=MOST_DRAIN_MINUTES,
            help="Refuse new connections and wait up to MINUTES for sessions to end; "
            "default: releases.toml, else 0.",
        ),
    ] = None,
) -> Work:
    """Upgrade now; roll back if the new release fails its test."""
    from mstunnel_setup.operations.upgrade import commands

    return lambda operator: commands.apply(operator, release, drain)


simple_command(
    upgrade_app,
    "refresh",
    "Fetch the list of releases from the release feed.",
    "operations.upgrade.fetch_releases:fetch_now",
)


@upgrade_app.command("import")
def import_releases(
    archive: Annotated[Path, typer.Argument(help="Archive of the release feed.", metavar="FILE")],
) -> Work:
    """Import the list of releases from a file, on a server that cannot reach the feed."""
    from mstunnel_setup.operations.upgrade import fetch_releases

    return lambda operator: fetch_releases.fetch_now(operator, archive.absolute())


simple_command(
    upgrade_app,
    "rollback",
    "Return to the release before the last upgrade.",
    "operations.upgrade.commands:rollback",
)
simple_command(
    upgrade_app, "history", "Show the upgrades of this server.", "operations.upgrade.commands:history"
)
