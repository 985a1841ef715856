"""`mst-cli cert` and `mst-cli ca-trust`: the certificate in use, and additional trusted roots."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from mstunnel_setup.cli.framework.command import App, Work, simple_command

cert_app = App()
ca_trust_app = App()

simple_command(cert_app, "show", "Show the certificate in use.", "operations.certificate.check:show")
simple_command(
    cert_app,
    "check",
    "Check the certificate, its revocation and what the gateway serves.",
    "operations.certificate.check:check",
)


@cert_app.command("repair")
def repair_certificate(
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Use another certificate if the one in use is lost.")
    ] = False,
) -> Work:
    """Repair the link and the files, for example after a copy that followed links."""
    from mstunnel_setup.operations.certificate import check

    return lambda operator: check.repair(operator, agreed=yes)


@cert_app.command("hook")
def write_hook(
    client: Annotated[
        Literal["certbot", "acme.sh"], typer.Argument(metavar="certbot|acme.sh", help="What renews it.")
    ],
) -> Work:
    """Have certbot or acme.sh import each renewed certificate into the gateway."""
    from mstunnel_setup.operations.certificate import write_hook

    return lambda operator: write_hook.write_hook(operator, client)


@ca_trust_app.command("add")
def trust_root(
    file: Annotated[Path, typer.Argument(help="Certificates of authorities (PEM or DER).")],
) -> Work:
    """Trust the authorities in a file."""
    from mstunnel_setup.operations.certificate import ca_trust

    return lambda operator: ca_trust.add(operator, file.absolute())


@ca_trust_app.command("remove")
def distrust_root(name: Annotated[str, typer.Argument(help="As `ca-trust list` shows it.")]) -> Work:
    """Stop trusting an authority."""
    from mstunnel_setup.operations.certificate import ca_trust

    return lambda operator: ca_trust.remove(operator, name)


simple_command(
    ca_trust_app, "list", "Show the additional trusted roots.", "operations.certificate.ca_trust:show"
)
