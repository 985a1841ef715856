"""The command groups `mst-cli cert` and `mst-cli ca-trust`: names and options only."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.framework.options import CommonOptions, new_group, with_options
from mstunnel_setup.cli.framework.render import run_command

cert_app = new_group()
ca_trust_app = new_group()


@cert_app.command("show")
@with_options
def show_certificate(common: CommonOptions) -> None:
    """Show the certificate in use."""
    from mstunnel_setup.operations.certificate import check

    run_command("mst-cli cert show", common, check.show)


@cert_app.command("check")
@with_options
def check_certificate(common: CommonOptions) -> None:
    """Check the certificate, its revocation and what the gateway serves."""
    from mstunnel_setup.operations.certificate import check

    run_command("mst-cli cert check", common, check.check)


@cert_app.command("repair")
@with_options
def repair_certificate(
    common: CommonOptions,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Use another certificate if the one in use is lost.")
    ] = False,
) -> None:
    """Repair the link and the files, for example after a copy that followed links."""
    from mstunnel_setup.operations.certificate import repair

    run_command("mst-cli cert repair", common, lambda operator: repair.repair(operator, agreed=yes))


@ca_trust_app.command("add")
@with_options
def add_root(
    common: CommonOptions,
    file: Annotated[Path, typer.Argument(help="Certificates of authorities (PEM or DER).")],
) -> None:
    """Trust the authorities in a file."""
    from mstunnel_setup.operations.certificate import ca_trust

    run_command("mst-cli ca-trust add", common, lambda operator: ca_trust.add(operator, file.absolute()))


@ca_trust_app.command("remove")
@with_options
def remove_root(
    common: CommonOptions, name: Annotated[str, typer.Argument(help="As `ca-trust list` shows it.")]
) -> None:
    """Stop trusting an authority."""
    from mstunnel_setup.operations.certificate import ca_trust

    run_command("mst-cli ca-trust remove", common, lambda operator: ca_trust.remove(operator, name))


@ca_trust_app.command("list")
@with_options
def list_roots(common: CommonOptions) -> None:
    """Show the additional trusted roots."""
    from mstunnel_setup.operations.certificate import ca_trust

    run_command("mst-cli ca-trust list", common, ca_trust.show)
