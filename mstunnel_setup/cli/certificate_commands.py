"""The command groups `mst-cli cert` and `mst-cli ca-trust`: names and options only."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.options import CommonOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command

cert_app = new_group("The TLS certificate in use.")
ca_trust_app = new_group("Additional trusted roots: for both containers and every connection to the tenant.")


@cert_app.command("show")
@with_options
def show_certificate(common: CommonOptions) -> None:
    """Show the certificate in use."""
    from mstunnel_setup.operations.certificate.check import show  # noqa: PLC0415 (`--help` stays fast)

    run_command("mst-cli cert show", common, show)


@cert_app.command("check")
@with_options
def check_certificate(common: CommonOptions) -> None:
    """Check the certificate, its revocation and what the gateway serves."""
    from mstunnel_setup.operations.certificate.check import check  # noqa: PLC0415 (`--help` stays fast)

    run_command("mst-cli cert check", common, check)


@cert_app.command("repair")
@with_options
def repair_certificate(
    common: CommonOptions,
    yes: Annotated[
        bool, typer.Option("--yes", help="Use another certificate if the one in use is lost.")
    ] = False,
) -> None:
    """Repair the link and the files, for example after a copy that followed links."""
    from mstunnel_setup.operations.certificate.repair import repair  # noqa: PLC0415 (`--help` stays fast)

    run_command("mst-cli cert repair", common, lambda operator: repair(operator, agreed=yes))


@ca_trust_app.command("add")
@with_options
def add_root(
    common: CommonOptions,
    file: Annotated[Path, typer.Argument(help="Certificates of authorities (PEM or DER).")],
) -> None:
    """Trust the authorities in a file."""
    from mstunnel_setup.operations.certificate.ca_trust import add  # noqa: PLC0415 (`--help` stays fast)

    run_command("mst-cli ca-trust add", common, lambda operator: add(operator, file.absolute()))


@ca_trust_app.command("remove")
@with_options
def remove_root(
    common: CommonOptions, name: Annotated[str, typer.Argument(help="As `ca-trust list` shows it.")]
) -> None:
    """No longer trust an authority."""
    from mstunnel_setup.operations.certificate.ca_trust import remove  # noqa: PLC0415 (`--help` stays fast)

    run_command("mst-cli ca-trust remove", common, lambda operator: remove(operator, name))


@ca_trust_app.command("list")
@with_options
def list_roots(common: CommonOptions) -> None:
    """Show the additional trusted roots."""
    from mstunnel_setup.operations.certificate.ca_trust import show  # noqa: PLC0415 (`--help` stays fast)

    run_command("mst-cli ca-trust list", common, show)
