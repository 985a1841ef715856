"""A tenant written as declarations: the files that would make another tenant equal to it."""

from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from io import StringIO
from ssl import DER_cert_to_PEM_cert

from pydantic import BaseModel
from ruamel.yaml import YAML

from mst_admin import findings
from mst_admin.apps import app_wire, wire
from mst_admin.apps.app_wire import app_object
from mst_admin.apps.app_wire import is_about_tunnel as is_tunnel_app
from mst_admin.apps.mam_policies import mam_object
from mst_admin.apps.wire import PresentAppConfiguration, app_configuration_object, is_about_tunnel
from mst_admin.assignments import assignees
from mst_admin.change import Wire
from mst_admin.mam_changes import policies_of_mam
from mst_admin.plan import Tenant
from mst_admin.present_profiles import PresentProfile, is_tunnel
from mst_admin.profiles.findings import PROFILE_NOT_DECLARABLE
from mst_admin.profiles.objects import ProfileObject, TrustedRootObject
from mst_admin.profiles.present import extra, not_declared, profile_object
from mst_admin.profiles.wire import ROOT_PLATFORMS, is_root_name, root_name
from mst_admin.wire import configuration_object, site_object, threshold_object
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.text import plain, text

SCHEMA_FILE = "schema.json"
_HEAD = f"# yaml-language-server: $schema={SCHEMA_FILE}\n"


def declarations_of(tenant: Tenant) -> dict[str, str]:
    """YAML files by name. Values are written as the tenant has them, also such as the rules would refuse."""
    sections: Mapping[str, Sequence[BaseModel]] = {
        "configurations": [configuration_object(item) for item in tenant.configurations],
        "sites": [site_object(item) for item in tenant.sites],
        "thresholds": [threshold_object(item) for item in tenant.thresholds],
        "trusted_roots": list(_trusted_roots(tenant)),
        "profiles": [_profile(item, tenant) for item in tenant.profiles if is_tunnel(item)],
        "apps": [app_object(item) for item in tenant.apps if is_tunnel_app(item)],
        "app_configurations": list(map(app_configuration_object, _tunnel_configurations(tenant))),
        "mam": list(map(mam_object, tenant.mam)),
    }
    return {
        f"{name}.yaml": _HEAD
        + to_yaml(
            {"version": 1, name: [item.model_dump(mode="json", exclude_defaults=True) for item in objects]}
        )
        for name, objects in sections.items()
        if objects
    }


def shared_names(tenant: Tenant) -> Iterator[Finding]:
    """What no declaration can tell apart: objects of one kind that have one name."""
    for what, names in (
        ("server configuration", [item.display_name for item in tenant.configurations]),
        ("site", [item.display_name for item in tenant.sites]),
        ("VPN profile", [item.found.display_name for item in tenant.profiles if is_tunnel(item)]),
        ("app configuration", [item.name for item in _tunnel_configurations(tenant)]),
        ("tunnel for MAM", [item.name for item in tenant.mam]),
    ):
        for name, count in Counter(map(str.casefold, names)).items():
            if count > 1:
                shown = plain(next(item for item in names if item.casefold() == name))
                yield findings.NAME_SHARED(count=count, kind=what, name=shown)


def unsaid(tenant: Tenant) -> Iterator[Finding]:
    """What profiles and app configurations have beside what a file can hold."""
    for item in tenant.profiles:
        if is_tunnel(item):
            yield from not_declared(item.found, item.assignments)
    of_profiles = {
        root_name(item.found.display_name).casefold() for item in tenant.profiles if is_tunnel(item)
    }
    for root in _named_roots(tenant):
        name = root.found.display_name
        if is_root_name(name) and name.casefold() not in of_profiles:
            yield PROFILE_NOT_DECLARABLE(
                profile=plain(name), what=text("a trusted root of that name, as no VPN profile has it")
            )
    for app in filter(is_tunnel_app, tenant.apps):
        yield from app_wire.not_declared(app)
    for configuration in _tunnel_configurations(tenant):
        yield from wire.not_declared(configuration)


def _tunnel_configurations(tenant: Tenant) -> list[PresentAppConfiguration]:
    """The app configurations that are not a part of Tunnel for MAM."""
    of_mam = policies_of_mam(tenant.mam)
    return [item for item in tenant.app_configurations if is_about_tunnel(item) and item.id not in of_mam]


def _trusted_roots(tenant: Tenant) -> Iterator[TrustedRootObject]:
    """Those that Tunnel for MAM names and that do not go with a VPN profile."""
    for item in _named_roots(tenant):
        name, der = item.found.display_name, extra(item.found).get("trustedRootCertificate")
        if der and not is_root_name(name):
            yield TrustedRootObject.model_construct(
                name=name,
                platform=ROOT_PLATFORMS[item.found.odata_type],
                certificate=DER_cert_to_PEM_cert(b64decode(der)),
                role_scope_tag_ids=item.found.role_scope_tag_ids,
                **assignees(item.assignments),
            )


def _named_roots(tenant: Tenant) -> Iterator[PresentProfile]:
    """The trusted roots that Tunnel for MAM names, compared as Graph does: without regard to case."""
    wanted = {name.casefold() for mam in tenant.mam for name in mam_object(mam).trusted_roots}
    for item in tenant.profiles:
        if not is_tunnel(item) and item.found.display_name.casefold() in wanted:
            yield item


def _profile(item: PresentProfile, tenant: Tenant) -> ProfileObject:
    """A profile with its site by name, and with the certificate of the trusted root that goes with it."""
    profile = profile_object(item.found, item.assignments)
    names = {site.id: site.display_name for site in tenant.sites}
    roots = {
        other.found.display_name.casefold(): extra(other.found)
        for other in tenant.profiles
        if not is_tunnel(other)
    }
    der = roots.get(root_name(profile.name).casefold(), {}).get("trustedRootCertificate")
    pem = DER_cert_to_PEM_cert(b64decode(der)) if der else None
    return profile.model_copy(update={"site": names.get(profile.site, profile.site), "trusted_root": pem})


def to_yaml(document: Wire) -> str:
    """A mapping as block-style YAML, keys in their order."""
    yaml = YAML(typ="rt", pure=True)
    yaml.width = 100
    stream = StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
