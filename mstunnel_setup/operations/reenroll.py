"""`mst-cli reenroll`: a new identity and a new record in the tenant; site, certificate and data stay."""

from mstunnel_setup.install.steps import sign_in, site
from mstunnel_setup.install.uninstall import as_data, kept
from mstunnel_setup.operations.certificate.activation import installed_run
from mstunnel_setup.operations.errors import REENROLL_DECLINED
from mstunnel_setup.operations.registration import enrol, take_back
from mstunnel_setup.operator import Operator, Settings
from mstunnel_setup.result import Result
from mstunnel_setup.tenant.actions import CreateAppIdentity, RegisterServer
from mstunnel_setup.tenant.secret import CreateAgentSecret
from mstunnel_setup.tls.actions import CreateAgentCredential

_IDENTITY = frozenset(
    {CreateAgentCredential.kind, CreateAgentSecret.kind, CreateAppIdentity.kind, RegisterServer.kind}
)


def reenroll(operator: Operator, settings: Settings) -> Result:
    """Remove what the tenant knows of this server, wherever it still does, and register it again.

    An administrator signs in first, so that a refused sign-in leaves everything as it is.
    """
    with installed_run(operator, settings) as run:
        prompter = run.context.prompter
        if prompter.interactive and not prompter.confirm("Give this server a new identity in the tenant?"):
            raise REENROLL_DECLINED()
        sign_in.as_administrator(run.context)
        site.chosen_id(run.context)
        removals = take_back(run, _IDENTITY)
        enrol(run)
    text = ["Registered again, in the same site and with the same certificate."]
    return Result("changed", as_data(removals), kept(removals), text=text)
