"""Step `configure`: the server configuration of the site, as files the gateway reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mstunnel_setup import paths
from mstunnel_setup.answers.address import is_probe_address
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import WriteFile, WriteJson
from mstunnel_setup.engine.step import Step
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import TenantError
from mstunnel_setup.gateway.actions import WriteGatewayConfiguration
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.log_level import log_level
from mstunnel_setup.gateway.ocserv_conf import Authentication, GatewayOptions
from mstunnel_setup.gateway.oidc import default_issuer, metadata_url, oidc_config
from mstunnel_setup.gateway.rendering import render
from mstunnel_setup.steps import environment, images, site, tenancy
from mstunnel_setup.steps.context import Context


@dataclass(frozen=True)
class Configuration:
    """The server configuration, and what the gateway needs to know besides it."""

    server: ServerConfiguration
    image: str
    options: GatewayOptions
    oidc: JsonObject
    probe_url: str = ""


def pulled(context: Context) -> ServerConfiguration:
    """The server configuration of the site, from the tenant. Raises TenantError."""
    site_id = site.chosen_id(context)
    wire = context.world.graph.configuration_of(site_id)
    if wire is None:
        raise TenantError(
            "configuration-missing",
            "the site has no server configuration",
            "Assign a server configuration to the site in the admin center, then run again.",
        )
    return ServerConfiguration.from_wire(wire.to_wire())


def _gather(context: Context) -> Configuration:
    world = context.world
    level = log_level(world.files, environment.settings(context), world.clock.now()).level
    options = GatewayOptions(Authentication(context.answers.authentication), level)
    server = pulled(context)
    for warning in server.warnings:
        context.prompter.say(f"Server configuration: {warning.message}. {warning.hint}".rstrip())
    address = site.choose(context).internal_network_probe_url or ""
    return Configuration(
        server,
        images.references(context)[0],
        options,
        _oidc(context),
        address if is_probe_address(address) else "",
    )


def _oidc(context: Context) -> JsonObject:
    cloud = tenancy.cloud_of(context)
    tenant_id = context.world.graph.tenant_id()
    issuer = default_issuer(cloud.name, cloud.authority, tenant_id)
    metadata = metadata_url(cloud.authority, tenant_id)
    return oidc_config(metadata, tenant_id, cloud.gateway_audience, issuer)


def _decide(configuration: Configuration) -> Sequence[Action[Any]]:
    rendered = render(configuration.server, configuration.options)
    return (
        WriteJson(path=paths.ADMIN_SETTINGS, value=rendered.settings, managed=True),
        WriteJson(path=paths.OIDC_JSON, value=configuration.oidc),
        WriteFile(path=paths.PROBE_URL, text=f"{configuration.probe_url}\n", managed=True),
        WriteGatewayConfiguration(path=paths.OCSERV_CONF, text=rendered.text, image=configuration.image),
    )


STEP = Step("configure", "Configuration of the gateway", _gather, _decide, needs=("sign-in",))
