"""The command groups `mst-cli cert` and `mst-cli ca-trust`: names and options only."""

from pathlib import Path
from typing import Annotated

import typer

from mstunnel_setup.cli.options import CommonOptions, new_group, with_options
from mstunnel_setup.cli.render import run_command

cert_app = new_group("The TLS certificate in use.")
ca_trust_app = new_group("Further trusted roots: for both containers and for all that talks to the tenant.")


@cert_app.command("show")
@with_options
def show_certificate(common: CommonOptions) -> None:
    """Show the certificate in use."""
    from mstunnel_setup.operations.certificate.check import show  # noqa: PLC0415 (`--help` stays fast)

    run_command("mst-cli cert show", common, show)


@cert_app.command("check")
@with_options
def check_certificate(common: CommonOptions) -> None:
    """Judge it again, ask the authority whether it is revoked, and look at what is served."""
    from mstunnel_setup.operations.certificate.check import check  # noqa: PLC0415 (`--help` stays fast)

    run_command("mst-cli cert check", common, check)


@cert_app.command("repair")
@with_options
def repair_certificate(
    common: CommonOptions,
    yes: Annotated[bool, typer.Option("--yes", help="Take another certificate if ours is lost.")] = False,
) -> None:
    """Put link and files right again, for example after a copy that followed links."""
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
    """Show the trusted roots besides those of the system."""
    from mstunnel_setup.operations.certificate.ca_trust import show  # noqa: PLC0415 (`--help` stays fast)

    run_command("mst-cli ca-trust list", common, show)
