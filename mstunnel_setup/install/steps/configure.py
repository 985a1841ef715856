"""Step `configure`: write the server configuration of the site as the files that the gateway reads."""

from collections.abc import Sequence
from dataclasses import dataclass

from mstunnel_setup.actions.files import WriteFile, WriteJson
from mstunnel_setup.actions.gateway_configuration import WriteGatewayConfiguration
from mstunnel_setup.answers.address import is_probe_address
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CONFIGURATION_MISSING, UsageError
from mstunnel_setup.base.text import text, with_hint
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.gateway.configuration import ServerConfiguration
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY, DEVICE_REVOCATIONS, log_level
from mstunnel_setup.gateway.oidc import TokenIssuers, TokenRules, TokenVersion, tenant_of
from mstunnel_setup.gateway.options import Authentication, GatewayOptions
from mstunnel_setup.gateway.rendering import render
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import environment, images, site
from mstunnel_setup.install.tenant_sign_in import cloud_of
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step


@dataclass(frozen=True)
class Configuration:
    """The server configuration, and the further settings of the gateway."""

    server: ServerConfiguration
    image: str
    options: GatewayOptions
    level: int
    oidc: JsonObject
    probe_url: str = ""


def pulled(run: Run) -> ServerConfiguration:
    """Return the server configuration of the site, from the tenant. Raises TenantError."""
    site_id = site.chosen_id(run)
    wire = run.host.graph.configuration_of(site_id)
    if wire is None:
        raise CONFIGURATION_MISSING()
    return ServerConfiguration.from_wire(wire.to_wire())


def _gather(run: Run) -> Configuration:
    refuse_forgeable(run)
    host = run.host
    level = log_level(host.files, environment.settings(run), host.clock.now()).level
    answers = run.answers
    options = GatewayOptions(
        authentication=Authentication(answers.authentication),
        certificate_too=answers.authentication_also == "certificate",
        revocation_list=answers.devices.crl_file is not None
        or (not answers.withdrawn("devices.crl_file") and host.files.state(DEVICE_REVOCATIONS) is not None),
        balancers=answers.proxy_protocol_from,
    )
    server = pulled(run)
    for warning in server.warnings:
        run.note("Server configuration: {problem}", problem=with_hint(warning.message, warning.hint))
    address = site.choose(run).internal_network_probe_url or ""
    return Configuration(
        server,
        images.references(run)[0],
        options,
        level,
        _token_rules(run).document(),
        address if is_probe_address(address) else "",
    )


def _token_rules(run: Run) -> TokenRules:
    """Return the token rules of the answers.

    Raises UsageError for an issuer of another tenant, which would lock out all devices.
    """
    cloud, answers, issuer = (
        cloud_of(run.answers),
        run.answers.token,
        run.answers.tenant.issuer,
    )
    issuers = TokenIssuers(cloud.name, cloud.authority, run.host.graph.tenant_id())
    if issuer and tenant_of(issuer) not in ("", issuers.tenant_id.lower()):
        raise UsageError(
            "issuer-of-another-tenant",
            "`tenant.issuer` names the tenant {named}, but this server is registered in {tenant}",
            hint="Correct `tenant.issuer`, or remove it: the default is the issuer of the tenant.",
            named=tenant_of(issuer),
            tenant=issuers.tenant_id,
        )
    versions: dict[str, TokenVersion] = {"1": 1, "2": 2}
    version = versions[answers.version] if answers.version else issuers.version(issuer)
    return TokenRules(
        metadata=issuers.metadata(version),
        tenant_id=issuers.tenant_id,
        audience=cloud.gateway_audience,
        issuer=issuer or issuers.issuer(version),
        home_issuers=(issuers.issuer(1), issuers.issuer(2)),
        scope=answers.scope or cloud.gateway_scope,
        maximum_lifetime=answers.maximum_lifetime,
        version=version,
        clients=answers.clients,
        required_claims=answers.required_claims,
    )


def _decide(configuration: Configuration) -> Sequence[Action]:
    options = configuration.options
    rendered = render(configuration.server, options, level=configuration.level)
    balancers = "".join(f"{address}\n" for address in options.balancers)
    return (
        WriteJson(path=paths.ADMIN_SETTINGS, value=rendered.settings, managed=True),
        WriteJson(path=paths.OIDC_JSON, value=configuration.oidc),
        WriteFile(path=paths.PROBE_URL, text=f"{configuration.probe_url}\n", managed=True),
        *((WriteFile(path=paths.BALANCERS, text=balancers),) if balancers else ()),
        WriteGatewayConfiguration(path=paths.OCSERV_CONF, text=rendered.text, image=configuration.image),
        # The settings follow once ocserv has accepted them; until then the monitor uses the earlier ones.
        # Settings that are None are left out, so that a release with a new setting does not change the file.
        WriteJson(path=paths.GATEWAY_SETTINGS, value=options.model_dump(mode="json", exclude_none=True)),
    )


def refuse_forgeable(run: Run) -> None:
    """Raise UsageError if other hosts than the load balancers could send device addresses to the gateway."""
    if not run.answers.proxy_protocol_from or run.engine_name != "docker":
        return
    # docker-proxy accepts IPv6 connections, and for these a link-local address is enough.
    addresses = run.host_reader.addresses()
    if addresses.ipv6 and not addresses.ipv6_disabled:
        raise UsageError(
            "proxy-protocol-forgeable",
            (
                "`proxy_protocol_from` is not safe here: Docker forwards IPv6 connections with the "
                "address of the host, so anyone could send the address of another device"
            ),
            hint=(
                "Install with Podman, or turn IPv6 off on this host "
                "(`net.ipv6.conf.all.disable_ipv6=1`), or write `proxy_protocol_from: []`."
            ),
        )


def _obsolete(run: Run) -> list[str]:
    """Return the objects of settings that the answers dropped: authentication, its secret, load balancers."""
    answers = run.answers
    of_certificates = (f"file:{path}" for path in (DEVICE_AUTHORITY, DEVICE_REVOCATIONS))
    withdrawn = answers.certificates_of_devices and answers.withdrawn("devices.crl_file")
    of_withdrawn = (f"file:{DEVICE_REVOCATIONS}",) if withdrawn else ()
    # Release 0.2.0 supported RADIUS; its files are removed.
    radius = f"{paths.PRIVATE}/radius"
    of_radius = (f"file:{radius}/radiusclient.conf", f"file:{radius}/servers", f"directory:{radius}")
    return [
        *(() if answers.certificates_of_devices else of_certificates),
        *of_withdrawn,
        *of_radius,
        *(() if answers.proxy_protocol_from else (f"file:{paths.BALANCERS}",)),
    ]


STEP = Step(
    "configure",
    text("Configuration of the gateway"),
    _gather,
    _decide,
    refuse=lambda run, _steps: refuse_forgeable(run),
    obsolete=_obsolete,
    needs=("sign-in",),
)
