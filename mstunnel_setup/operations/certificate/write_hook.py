"""`mst-cli cert hook`: certbot or acme.sh imports each renewed certificate into the gateway."""

from pydantic import Field

from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.acme_clients import AcmeClient
from mstunnel_setup.install import renewal_hook
from mstunnel_setup.install.session import apply_actions, installed_run
from mstunnel_setup.install.steps import certificate
from mstunnel_setup.io.operator import Operator


class RenewalHookReport(Report):
    """The hook, and the certificate for which it is."""

    client: AcmeClient
    name: str = Field(description="Name of the certificate in the client.")
    hook: str = Field(description="Path of the script that the client runs after a renewal.")
    in_use: bool = Field(description="True if the gateway uses the client's certificate already.")


def write_hook(operator: Operator, client: AcmeClient) -> Result[RenewalHookReport]:
    """Write the client's renewal hook; uninstalling removes it.

    Raises UsageError if the client or a certificate for the site is not on this host, if acme.sh installs the
    certificate for something else, and for a rootless gateway.
    """
    with installed_run(operator) as run:
        found = renewal_hook.renewed(run, client, certificate.address(run))
        changed = apply_actions(run, text("Renewal hook"), renewal_hook.writing(run, found))
        in_use = found.leaf == generations.leaf_in_use(run.files)
    report = RenewalHookReport(client=client, name=found.name, hook=renewal_hook.HOOKS[client], in_use=in_use)
    lines = [
        text("{client} imports each renewal of {name} into the gateway.", client=client, name=found.name)
    ]
    if not in_use:
        lines.append(
            text(
                "The gateway does not use it yet: `mst-cli import_cert --cert {chain} --key {key}`.",
                chain=found.chain,
                key=found.key,
            )
        )
    return Result("changed" if changed else "unchanged", report, text=lines)
