"""Tunnel for MAM as policies: what it consists of, and how it is found again among those of a tenant.

Names of settings: docs/reference/mst-admin.md. On Android, Defender connects for Edge, too; on iOS each
app connects on its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mst_admin.apps.app_objects import AppPlatform
from mst_admin.apps.mam_objects import MamObject
from mst_admin.apps.objects import DEFENDER, AppConfigurationObject, Channel, Platform
from mst_admin.apps.wire import (
    AVAILABLE_KEY,
    STRICT_KEY,
    TUNNEL_KEYS,
    PresentAppConfiguration,
    app_configuration_object,
)
from mst_admin.assignments import TYPE
from mst_admin.change import Body
from mst_admin.profiles.objects import ProxyObject
from mstunnel_setup.base.parsing import json_value, whole_number
from mstunnel_setup.tenant.wire import DeviceConfiguration, IntuneObject
from mstunnel_setup.tenant.wire_apps import AppAssignment

EDGE_ANDROID: Final = "com.microsoft.emmx"
EDGE_IOS: Final = "com.microsoft.msedge"
TUNNEL: Final = " (tunnel)"
EDGE: Final = " (Edge)"
PROTECTION: Final = " (protection)"
"""What follows the name of the object in the names of its policies."""

SITE_KEY: Final = f"{TUNNEL_KEYS}site_id"
ROOTS_KEY: Final = f"{TUNNEL_KEYS}trusted_root_certificates"
_TYPE_KEY: Final = f"{TUNNEL_KEYS}connection_type"
_NAME_KEY: Final = f"{TUNNEL_KEYS}connection_name"
_ADDRESS_KEY: Final = f"{TUNNEL_KEYS}server_address"
_APPS_KEY: Final = f"{TUNNEL_KEYS}targeted_apps"
_PAC_KEY: Final = f"{TUNNEL_KEYS}proxy_pacurl"
_PROXY_KEY: Final = f"{TUNNEL_KEYS}proxy_address"
_PORT_KEY: Final = f"{TUNNEL_KEYS}proxy_port"
_CUSTOM_KEY: Final = f"{TUNNEL_KEYS}custom_configuration"
_BYPASSED: Final = "bypassedUrls"


@dataclass(frozen=True)
class PresentProtection:
    """An app protection policy of the tenant, its apps by their ids in the store, and its assignments."""

    found: IntuneObject
    is_ios: bool
    apps: tuple[str, ...] = ()
    assignments: tuple[AppAssignment, ...] = ()


@dataclass(frozen=True)
class PresentMam:
    """Tunnel for MAM in a tenant: the policy with the tunnel settings, and those that go with it."""

    tunnel: PresentAppConfiguration
    edge: PresentAppConfiguration | None = None
    protection: PresentProtection | None = None
    sites: Mapping[str, str] | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return self.tunnel.name[: -len(TUNNEL)]

    @property
    def id(self) -> str:
        """The id of the policy with the tunnel settings."""
        return self.tunnel.id

    @property
    def wire(self) -> Body:
        """The policies, below the name and id of the whole."""
        others = [self.edge.wire] if self.edge else []
        others += [self.protection.found.model_dump(mode="json", by_alias=True)] if self.protection else []
        return {"id": self.id, "displayName": self.name, "policies": [self.tunnel.wire, *others]}


def configurations_of(
    declared: MamObject, site: str, address: str, roots: str
) -> Iterator[AppConfigurationObject]:
    """The app configurations: tunnel settings, and those of Edge if it is among the apps.

    `site` is the id or name of the site, `address` where devices find it, `roots` the value for the roots.
    """
    tunnel = _tunnel_settings(declared, site, address, roots)
    apps = declared.apps if declared.is_ios else (DEFENDER,)
    yield _configuration(declared, TUNNEL, apps, tunnel)
    if has_edge(declared):
        strict = {STRICT_KEY: "True"} if declared.strict_tunnel else {}
        yield _configuration(declared, EDGE, (edge_of(declared),), {**strict, AVAILABLE_KEY: "True"})


def protected_apps(declared: MamObject) -> tuple[str, ...]:
    """The apps that the app protection policy is for."""
    return declared.apps if declared.is_ios else (EDGE_ANDROID,)


def edge_of(declared: MamObject) -> str:
    """The id of Edge in the store."""
    return EDGE_IOS if declared.is_ios else EDGE_ANDROID


def has_edge(declared: MamObject) -> bool:
    """Whether Edge uses the tunnel: on Android always, for it is what starts it."""
    return not declared.is_ios or EDGE_IOS in declared.apps


def root_entries(roots: Iterable[DeviceConfiguration]) -> str:
    """The value for trusted roots: JSON as text, with what the tenant has of each."""
    kept = (TYPE, "id", "displayName", "lastModifiedDateTime")
    entries = []
    for root in roots:
        wire = root.model_dump(mode="json", by_alias=True)
        certificate = (root.model_extra or {}).get("trustedRootCertificate")
        entries.append({**{name: wire[name] for name in kept}, "trustedRootCertificate": certificate})
    return json.dumps(entries) if entries else ""


def root_names(value: str) -> list[str]:
    """The names of trusted roots that stand in place of the value for them; none when it is that value."""
    found = _json(value)
    return [item for item in found if isinstance(item, str)] if isinstance(found, list) else []


def find_mam(
    configurations: Iterable[PresentAppConfiguration],
    protections: Iterable[PresentProtection],
    sites: Mapping[str, str],
) -> Iterator[PresentMam]:
    """The objects among the policies of a tenant; `sites` are the names of sites by their ids.

    The policies of one object are for one platform, and their names are compared without regard to case.
    """
    managed = [item for item in configurations if item.channel is Channel.APPS]
    by_name = {(item.name.casefold(), item.is_ios): item for item in managed}
    protected = {(item.found.display_name.casefold(), item.is_ios): item for item in protections}
    for item in managed:
        name, is_ios = item.name.casefold(), item.is_ios
        if name.endswith(TUNNEL.casefold()) and _TYPE_KEY in app_configuration_object(item).settings:
            base = name.removesuffix(TUNNEL.casefold())
            edge = by_name.get((base + EDGE.casefold(), is_ios))
            yield PresentMam(item, edge, protected.get((base + PROTECTION.casefold(), is_ios)), sites)


def mam_object(present: PresentMam) -> MamObject:
    """Tunnel for MAM of a tenant as it would be written; its values are not judged."""
    declared = app_configuration_object(present.tunnel)
    said = {name: str(value) for name, value in declared.settings.items()}
    edge = app_configuration_object(present.edge).settings if present.edge else {}
    is_ios, site = present.tunnel.is_ios, said.get(SITE_KEY, "")
    targeted = tuple(filter(None, said.get(_APPS_KEY, "").split("|")))
    return MamObject.model_construct(
        name=present.name,
        platform=AppPlatform.IOS if is_ios else AppPlatform.ANDROID,
        connection_name=said.get(_NAME_KEY, ""),
        site=(present.sites or {}).get(site, site),
        apps=declared.apps if is_ios else targeted,
        proxy=_proxy(said),
        trusted_roots=tuple(str(item.get("displayName")) for item in _objects(said.get(ROOTS_KEY, ""))),
        bypassed_urls=tuple(_bypassed(said.get(_CUSTOM_KEY, ""))),
        strict_tunnel=str(edge.get(STRICT_KEY, "")).lower() == "true",
        groups=declared.groups,
        excluded_groups=declared.excluded_groups,
        role_scope_tag_ids=declared.role_scope_tag_ids,
    )


def _configuration(
    declared: MamObject, suffix: str, apps: tuple[str, ...], settings: Mapping[str, str]
) -> AppConfigurationObject:
    return AppConfigurationObject(
        name=f"{declared.name}{suffix}",
        channel=Channel.APPS,
        platform=Platform.IOS if declared.is_ios else Platform.ANDROID,
        apps=apps,
        settings=dict(settings),
        groups=declared.groups,
        excluded_groups=declared.excluded_groups,
        role_scope_tag_ids=declared.role_scope_tag_ids,
    )


def _tunnel_settings(declared: MamObject, site: str, address: str, roots: str) -> dict[str, str]:
    proxy = declared.proxy or ProxyObject()
    bypassed = json.dumps({_BYPASSED: list(declared.bypassed_urls)}) if declared.bypassed_urls else ""
    settings = {
        _TYPE_KEY: "MicrosoftProtect",
        _NAME_KEY: declared.connection_name,
        SITE_KEY: site,
        _ADDRESS_KEY: address,
        _APPS_KEY: "" if declared.is_ios else "|".join(declared.apps),
        ROOTS_KEY: roots,
        _PAC_KEY: proxy.pac_url or "",
        _PROXY_KEY: proxy.address or "",
        _PORT_KEY: str(proxy.port or ""),
        _CUSTOM_KEY: bypassed,
    }
    return {name: value for name, value in settings.items() if value}


def _proxy(said: Mapping[str, str]) -> ProxyObject | None:
    if not said.get(_PAC_KEY) and not said.get(_PROXY_KEY):
        return None
    return ProxyObject.model_construct(
        address=said.get(_PROXY_KEY) or None,
        port=whole_number(said.get(_PORT_KEY, "")),
        pac_url=said.get(_PAC_KEY) or None,
    )


def _objects(text: str) -> list[dict[str, Any]]:
    found = _json(text)
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _bypassed(text: str) -> Iterator[str]:
    found = _json(text)
    listed = found.get(_BYPASSED) if isinstance(found, dict) else None
    yield from map(str, listed if isinstance(listed, list) else ())


def _json(text: str) -> object:
    """What a text in JSON has; None when it is none."""
    try:
        return json_value(text.encode())
    except ValueError:
        return None
