"""A new tenant from a seed: its users, applications, configurations and sites."""

import hashlib
import secrets
import uuid

from mstunnel_lab.declared_errors import LAB_SEED_INVALID
from mstunnel_lab.entra.permissions import APP_ROLE_IDS
from mstunnel_lab.errors import GraphError
from mstunnel_lab.graph.bodies import judge
from mstunnel_lab.graph.bodies_tunnel import ConfigurationBody, SiteBody
from mstunnel_lab.graph.directory import FIRST_PARTY, new_assignment, new_principal
from mstunnel_lab.graph.intune import DEFAULT_THRESHOLDS, default_threshold
from mstunnel_lab.records import ApplicationRecord, TenantRecord, UserRecord, digest
from mstunnel_lab.seed import Seed, SeedApplication, SeedConfiguration, SeedSite, SeedUser, parse_seed
from mstunnel_lab.store import Store
from mstunnel_lab.tunnel import new_configuration, new_site
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.tenant.wire import GRAPH_APP_ID, AppRole, ServicePrincipal, wire_name


def open_tenant(store: Store, text: str, name: str, *, seed_given: bool) -> TenantRecord:
    """Return the tenant in the store, planted from the seed text the first time.

    `name` is the seed's name in messages. Raises `UsageError` for a bad seed, and when a seed is given that
    is not the one the tenant was made from.
    """
    text_digest = hashlib.sha256(text.encode()).hexdigest()
    for tenant in store.each(TenantRecord):
        if seed_given and tenant.seed_digest != text_digest:
            raise UsageError(
                "lab-seed-differs",
                "this lab was created from a different seed file than {name}",
                hint="Use another --dir for a new lab, or omit --seed to continue with this one.",
                name=name,
            )
        return tenant
    seed = parse_seed(text, name)
    with store.transaction():
        return _plant(store, seed, text_digest)


def _plant(store: Store, seed: Seed, text_digest: str) -> TenantRecord:
    tenant = TenantRecord(
        id=str(seed.tenant.id or uuid.uuid4()),
        name=seed.tenant.name,
        domain=seed.tenant.domain,
        internal_url=seed.internal_url,
        seed_digest=text_digest,
        gateway_token_version=seed.gateway_token_version,
        poll_interval=seed.sign_in.poll_interval,
        device_code_lifetime=seed.sign_in.device_code_lifetime,
        token_lifetime=seed.sign_in.token_lifetime,
        offline_after=seed.offline_after,
        page_size=seed.page_size,
        trend_block=seed.trend_block,
        extensions=seed.extensions,
        trusted_issuer=seed.trusted_issuer.issuer if seed.trusted_issuer else "",
        trusted_key_set=seed.trusted_issuer.key_set if seed.trusted_issuer else "",
    )
    store.add(tenant)
    for user in seed.users:
        store.add(_user(user))
    roles = tuple(
        AppRole(id=identifier, value=value, display_name=value, allowed_member_types=("Application",))
        for value, identifier in APP_ROLE_IDS.items()
    )
    graph = new_principal(GRAPH_APP_ID, "Microsoft Graph").model_copy(update={"app_roles": roles})
    store.add(graph)
    for app_id, display_name in FIRST_PARTY.items() if seed.gateway_app else ():
        store.add(new_principal(app_id, display_name))
    for application in seed.applications:
        _plant_application(store, application, graph)
    _plant_sites(store, seed)
    for metric, healthy, unhealthy in DEFAULT_THRESHOLDS:
        store.add(default_threshold(metric, healthy, unhealthy))
    return tenant


def _user(seed: SeedUser) -> UserRecord:
    return UserRecord(
        id=str(seed.id or uuid.uuid4()),
        upn=seed.upn.lower(),
        name=seed.name,
        password=seed.password or secrets.token_urlsafe(12),
        roles=seed.roles,
        licensed=seed.licensed,
        mfa_code=f"{secrets.randbelow(10**6):06}" if seed.mfa else "",
        refused_with=seed.refused_with or 0,
        guest=seed.guest,
        groups=tuple(map(str, seed.groups)),
    )


def _plant_application(store: Store, seed: SeedApplication, graph: ServicePrincipal) -> None:
    application = ApplicationRecord(
        id=str(uuid.uuid4()),
        app_id=str(seed.app_id or uuid.uuid4()),
        display_name=seed.name,
        secret_digests=(digest(seed.secret),) if seed.secret else (),
        public_client=seed.public_client,
        password_grant=seed.password_grant,
        scopes=seed.scopes,
        gateway_access=seed.gateway_access,
    )
    principal = new_principal(application.app_id, seed.name)
    store.add(application, parent=seed.use or "")
    store.add(principal)
    for role in seed.app_roles:
        store.add(new_assignment(principal, graph, APP_ROLE_IDS[role]), parent=principal.id)


def _plant_sites(store: Store, seed: Seed) -> None:
    identifiers = {item.name: str(uuid.uuid4()) for item in seed.configurations}
    try:
        for item in seed.configurations:
            pairs = item.advanced_settings.items()
            document = _document(item)
            document["advancedSettings"] = [{"name": name, "value": value} for name, value in pairs]
            body = judge(ConfigurationBody, document)
            store.add(new_configuration(body, identifiers[item.name]))
        for site in seed.sites:
            body_of_site = judge(SiteBody, _document(site))
            store.add(new_site(body_of_site, str(uuid.uuid4()), identifiers[site.configuration]))
    except GraphError as error:
        raise LAB_SEED_INVALID(reason=error.message) from error


def _document(seed: SeedConfiguration | SeedSite) -> JsonObject:
    values = seed.model_dump(exclude={"name", "configuration"}, exclude_none=True)
    return {"displayName": seed.name} | {wire_name(name): value for name, value in values.items()}
