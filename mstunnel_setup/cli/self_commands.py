"""The command group `mstunnel-setup self`: names and options only."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.framework.options import CommonOptions, full, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

self_app = new_group()


@self_app.command("verify")
@with_options
def self_verify(
    common: CommonOptions,
    public_key: Annotated[
        Path | None,
        typer.Option(
            "--public-key",
            metavar="FILE",
            envvar="MSTUNNEL_PUBLIC_KEY",
            callback=full,
            help="Also verify the release's signature, with this public key of minisign.",
        ),
    ] = None,
    sums: Annotated[
        Path | None,
        typer.Option(
            "--sums",
            metavar="FILE",
            envvar="MSTUNNEL_SUMS",
            callback=full,
            help="The release's checksums, with their signature beside; by default beside this program.",
        ),
    ] = None,
) -> None:
    """Verify this file and its unpacked files against the checksums of the build."""
    from mstunnel_setup.operations import version

    run_command(
        "mstunnel-setup self verify",
        common,
        lambda operator: version.self_verify(operator.files, public_key, sums),
    )


@self_app.command("licences")
@with_options
def self_licenses(common: CommonOptions) -> None:
    """Show the licences of everything that this program brings."""
    from mstunnel_setup.operations import version

    run_command("mstunnel-setup self licences", common, lambda _operator: version.self_licenses())
