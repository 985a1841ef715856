"""Step `register`: the agent's own identity in the tenant, and the record of this server in its site."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import WriteJson
from mstunnel_setup.engine.step import Step
from mstunnel_setup.engine.values import output
from mstunnel_setup.errors import TenantError
from mstunnel_setup.steps import site, tenancy
from mstunnel_setup.steps.context import Context
from mstunnel_setup.tenant.actions import CreateAppIdentity, RegisterServer
from mstunnel_setup.tenant.clouds import Cloud
from mstunnel_setup.tenant.wire import DeploymentMode
from mstunnel_setup.tls.actions import CreateAgentCredential


@dataclass(frozen=True)
class Registration:
    """Under which names this server appears in the tenant, where, and how its containers run."""

    site_id: str
    server_name: str
    application_name: str
    cloud: Cloud
    authentication: str
    deployment_mode: DeploymentMode


def _gather(context: Context) -> Registration:
    rootless = context.answers.mode == "rootless"
    application_name = f"mstunnel-gateway {context.server_name} {_machine(context)}"
    _refuse_renamed(context, application_name)
    return Registration(
        site_id=site.chosen_id(context),
        server_name=context.server_name,
        application_name=application_name,
        cloud=tenancy.cloud_of(context),
        authentication=context.answers.authentication,
        deployment_mode=DeploymentMode.STANDALONE_ROOTLESS if rootless else DeploymentMode.STANDALONE_ROOTFUL,
    )


def _refuse_renamed(context: Context, application_name: str) -> None:
    """Raise TenantError when this server went by another name, or had another machine id, when it began."""
    for entry in context.receipt.entries.values():
        known = entry.versions[-1]
        if known["kind"] == CreateAppIdentity.kind and known["display_name"] != application_name:
            raise TenantError(
                "server-renamed",
                f"the tenant knows this server as {known['display_name']}, not as {application_name}",
                "Set server_name to the name it had, or take it out with `mst-cli uninstall` first.",
            )


def _machine(context: Context) -> str:
    """Eight hex digits that tell this machine from others of the same name; the machine id stays private."""
    machine_id = context.world.files.read("/etc/machine-id") or context.host_name.encode()
    return hashlib.sha256(b"mstunnel-gateway " + machine_id.strip()).hexdigest()[:8]


def _decide(registration: Registration) -> Sequence[Action[Any]]:
    credential = CreateAgentCredential(
        path=paths.AGENT_CREDENTIAL, common_name=registration.application_name[:64]
    )
    application = CreateAppIdentity(
        display_name=registration.application_name, credential_path=paths.AGENT_CREDENTIAL
    )
    server = RegisterServer(
        site_id=registration.site_id,
        server_name=registration.server_name,
        deployment_mode=registration.deployment_mode,
    )
    info = {
        "AgentId": output(application.key, "app_id"),
        "AADTenantId": output(application.key, "tenant_id"),
        "IntuneTenantId": output(application.key, "tenant_id"),
        "RenewalDate": output(credential.key, "not_after"),
        "Authority": registration.cloud.authority,
        "Graph": registration.cloud.graph,
        "Cloud": registration.cloud.name,
        "Authentication": registration.authentication,
    }
    settings = {"SiteId": registration.site_id, "ServerId": output(server.key, "server_id")}
    return (
        credential,
        application,
        server,
        WriteJson(path=paths.AGENT_INFO, value=info, mode=0o640),
        WriteJson(path=paths.AGENT_SETTINGS, value=settings, mode=0o640, managed=True),
    )


STEP = Step("register", "Registration in the tenant", _gather, _decide, needs=("sign-in",))
