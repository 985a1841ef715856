"""Tunnel for MAM: its declared form, its policies in Graph, their lookup, and its rules.

Names of settings: docs/reference/mst-admin.md. On Android, Defender connects for Edge, too; on iOS each
app connects on its own.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

from pydantic import Field, StrictBool, field_validator

from mst_admin.change import TYPE, Body
from mst_admin.objects import app_configuration as policies
from mst_admin.objects.app import APP_CONFIG_APP_ID, APP_KEY, AppPlatform
from mst_admin.objects.parts import (
    ExcludedGroups,
    Groups,
    NamedObject,
    PresentObject,
    Trimmed,
    judge_assignment,
)
from mst_admin.objects.profile import ProfileObject, ProxyObject
from mst_admin.objects.profile_rules import PACKAGE, judge_proxy
from mstunnel_setup.answers.address import is_host
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.answers.values import LONGEST_NAME, Line
from mstunnel_setup.base.parsing import json_value, whole_number
from mstunnel_setup.base.text import text
from mstunnel_setup.tenant.wire_intune import AppAssignment, DeviceConfiguration, IntuneObject


class MamObject(NamedObject, Trimmed):
    """The tunnel for apps on devices that are not enrolled: three policies, declared as one object."""

    platform: AppPlatform = Field(description="android or ios")
    connection_name: Line = Field(description="Name that users see", examples=["Contoso"])
    site: Line = Field(description="Name or id of the site", examples=["Berlin"])
    apps: tuple[str, ...] = Field(
        default=(),
        description="Package or bundle ids of the apps that use the tunnel; Android: none means all",
        examples=[["com.microsoft.emmx"]],
    )
    proxy: ProxyObject | None = Field(default=None, description="Proxy")
    trusted_roots: tuple[Line, ...] = Field(
        default=(), description="Names of the trusted root profiles whose certificates the apps trust"
    )
    bypassed_urls: tuple[str, ...] = Field(
        default=(), description="iOS, federated tenants: hosts of the sign-in service, not in the tunnel"
    )
    strict_tunnel: StrictBool = Field(
        default=False, description="Edge: no traffic of the work account while the tunnel is down"
    )
    groups: Groups = ()
    excluded_groups: ExcludedGroups = ()
    role_scope_tag_ids: tuple[str, ...] = Field(default=("0",), description="Ids of scope tags")

    @field_validator("name")
    @classmethod
    def _leaves_room(cls, name: str) -> str:
        longest = LONGEST_NAME - max(map(len, (TUNNEL, EDGE, PROTECTION)))
        if len(name) > longest:
            raise ValueError(
                f"must have at most {longest} characters, because its policies have longer names: shorten it"
            )
        return name

    @property
    def is_ios(self) -> bool:
        """Return whether it is for iOS and iPadOS."""
        return self.platform is AppPlatform.IOS

    @property
    def all_users(self) -> bool:
        """Policies for managed apps are assigned to groups here."""
        return False

    @property
    def all_devices(self) -> bool:
        """Devices that are not enrolled cannot be assigned anything."""
        return False


class MamFile(MamObject):
    """A file with one object."""

    version: Literal[1] = Field(description="Version of this format")


EDGE_ANDROID: Final = "com.microsoft.emmx"
EDGE_IOS: Final = "com.microsoft.msedge"
TUNNEL: Final = " (tunnel)"
EDGE: Final = " (Edge)"
PROTECTION: Final = " (protection)"
"""Suffixes of the names of an object's policies."""

ANDROID_PROTECTION: Final = "#microsoft.graph.androidManagedAppProtection"
IOS_PROTECTION: Final = "#microsoft.graph.iosManagedAppProtection"

SITE_KEY: Final = f"{policies.TUNNEL_KEYS}site_id"
ROOTS_KEY: Final = f"{policies.TUNNEL_KEYS}trusted_root_certificates"
_TYPE_KEY: Final = f"{policies.TUNNEL_KEYS}connection_type"
_NAME_KEY: Final = f"{policies.TUNNEL_KEYS}connection_name"
_APPS_KEY: Final = f"{policies.TUNNEL_KEYS}targeted_apps"
_PAC_KEY: Final = f"{policies.TUNNEL_KEYS}proxy_pacurl"
_PROXY_KEY: Final = f"{policies.TUNNEL_KEYS}proxy_address"
_PORT_KEY: Final = f"{policies.TUNNEL_KEYS}proxy_port"
_CUSTOM_KEY: Final = f"{policies.TUNNEL_KEYS}custom_configuration"
_BYPASSED: Final = "bypassedUrls"
Content = TypeVar("Content", dict[Any, Any], list[Any])


@dataclass(frozen=True)
class PresentProtection(PresentObject):
    """An app protection policy of the tenant with its apps, by store id, and its assignments."""

    found: IntuneObject
    is_ios: bool
    apps: tuple[str, ...] = ()
    assignments: tuple[AppAssignment, ...] = ()


@dataclass(frozen=True)
class PresentMam:
    """Tunnel for MAM in a tenant: the policy with the tunnel settings, and the related policies."""

    tunnel: policies.PresentAppConfiguration
    edge: policies.PresentAppConfiguration | None = None
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
        """The policies, with the name and id of the object."""
        others = [self.edge.wire] if self.edge else []
        others += [self.protection.wire] if self.protection else []
        return {"id": self.id, "displayName": self.name, "policies": [self.tunnel.wire, *others]}


def configurations_of(
    declared: MamObject, site: str, address: str, roots: str
) -> Iterator[policies.AppConfigurationObject]:
    """Return the app configurations: tunnel settings, and those of Edge if it is among the apps.

    `site` is the id or name of the site, `address` its public address, `roots` the setting for trusted roots.
    """
    proxy = declared.proxy or ProxyObject()
    tunnel = {
        _TYPE_KEY: "MicrosoftProtect",
        _NAME_KEY: declared.connection_name,
        SITE_KEY: site,
        f"{policies.TUNNEL_KEYS}server_address": address,
        _APPS_KEY: "" if declared.is_ios else "|".join(declared.apps),
        ROOTS_KEY: roots,
        _PAC_KEY: proxy.pac_url or "",
        _PROXY_KEY: proxy.address or "",
        _PORT_KEY: str(proxy.port or ""),
        _CUSTOM_KEY: json.dumps({_BYPASSED: declared.bypassed_urls}) if declared.bypassed_urls else "",
    }
    strict = {policies.STRICT_KEY: "True"} if declared.strict_tunnel else {}
    apps = declared.apps if declared.is_ios else (policies.DEFENDER,)
    made = [(TUNNEL, apps, {name: value for name, value in tunnel.items() if value})]
    if has_edge(declared):
        edge = EDGE_IOS if declared.is_ios else EDGE_ANDROID
        made.append((EDGE, (edge,), {**strict, policies.AVAILABLE_KEY: "True"}))
    for suffix, own_apps, settings in made:
        yield policies.AppConfigurationObject(
            name=f"{declared.name}{suffix}",
            channel=policies.Channel.APPS,
            platform=policies.AppConfigurationPlatform.IOS
            if declared.is_ios
            else policies.AppConfigurationPlatform.ANDROID,
            apps=own_apps,
            settings=dict(settings),
            groups=declared.groups,
            excluded_groups=declared.excluded_groups,
            role_scope_tag_ids=declared.role_scope_tag_ids,
        )


def has_edge(declared: MamObject) -> bool:
    """Return whether Edge uses the tunnel; always on Android, where Edge starts it."""
    return not declared.is_ios or EDGE_IOS in declared.apps


def root_entries(roots: Iterable[DeviceConfiguration]) -> str:
    """Return the setting for trusted roots: JSON as text, with the tenant's properties of each."""
    kept = (TYPE, "id", "displayName", "lastModifiedDateTime")
    entries = []
    for root in roots:
        wire = root.document()
        certificate = (root.model_extra or {}).get("trustedRootCertificate")
        entries.append({**{name: wire[name] for name in kept}, "trustedRootCertificate": certificate})
    return json.dumps(entries) if entries else ""


def root_names(value: str) -> list[str]:
    """Return the names of trusted roots that are placeholders in the setting; empty if it is final."""
    return [item for item in _json(value, list) if isinstance(item, str)]


def find_mam(
    configurations: Iterable[policies.PresentAppConfiguration],
    protections: Iterable[PresentProtection],
    sites: Mapping[str, str],
) -> Iterator[PresentMam]:
    """Return the Tunnel for MAM objects of a tenant; `sites` has the names of sites by id.

    The policies of one object are for one platform; their names are compared without case.
    """
    managed = [item for item in configurations if item.channel is policies.Channel.APPS]
    by_name = {(item.name.casefold(), item.is_ios): item for item in managed}
    protected = {(item.found.display_name.casefold(), item.is_ios): item for item in protections}
    for item in managed:
        name, is_ios = item.name.casefold(), item.is_ios
        if name.endswith(TUNNEL.casefold()) and _TYPE_KEY in policies.app_configuration_object(item).settings:
            base = name.removesuffix(TUNNEL.casefold())
            edge = by_name.get((base + EDGE.casefold(), is_ios))
            yield PresentMam(item, edge, protected.get((base + PROTECTION.casefold(), is_ios)), sites)


def mam_object(present: PresentMam) -> MamObject:
    """Return Tunnel for MAM of a tenant in declaration form, without validation."""
    declared = policies.app_configuration_object(present.tunnel)
    said = {name: str(value) for name, value in declared.settings.items()}
    edge = policies.app_configuration_object(present.edge).settings if present.edge else {}
    is_ios, site = present.tunnel.is_ios, said.get(SITE_KEY, "")
    targeted = tuple(filter(None, said.get(_APPS_KEY, "").split("|")))
    proxy, custom = None, _json(said.get(_CUSTOM_KEY, ""), dict)
    if said.get(_PAC_KEY) or said.get(_PROXY_KEY):
        proxy = ProxyObject.model_construct(
            address=said.get(_PROXY_KEY) or None,
            port=whole_number(said.get(_PORT_KEY, "")),
            pac_url=said.get(_PAC_KEY) or None,
        )
    bypassed, roots = custom.get(_BYPASSED), _json(said.get(ROOTS_KEY, ""), list)
    return MamObject.model_construct(
        name=present.name,
        platform=AppPlatform.IOS if is_ios else AppPlatform.ANDROID,
        connection_name=said.get(_NAME_KEY, ""),
        site=(present.sites or {}).get(site, site),
        apps=declared.apps if is_ios else targeted,
        proxy=proxy,
        trusted_roots=tuple(str(item.get("displayName")) for item in roots if isinstance(item, dict)),
        bypassed_urls=tuple(map(str, bypassed if isinstance(bypassed, list) else ())),
        strict_tunnel=str(edge.get(policies.STRICT_KEY, "")).lower() == "true",
        groups=declared.groups,
        excluded_groups=declared.excluded_groups,
        role_scope_tag_ids=declared.role_scope_tag_ids,
    )


def _json(text: str, kind: type[Content]) -> Content:
    """Parse JSON of type `kind`; return an empty value of that type if the text is something else."""
    try:
        found = json_value(text.encode())
    except ValueError:
        return kind()
    return found if isinstance(found, kind) else kind()


def judge_mam(
    declared: MamObject,
    others: Iterable[MamObject] = (),
    profiles: Iterable[ProfileObject] = (),
    *,
    split_rules: bool | None = None,
) -> tuple[Finding, ...]:
    """Return all findings about a declared object; `others` and `profiles` are declared with it.

    `split_rules` says if the site's server configuration has split tunnelling rules; None means unknown.
    """
    return (
        *_settings(declared, split_rules=split_rules),
        *judge_assignment(declared, text("tunnel for MAM")),
        *_beside(declared, others, profiles),
    )


def _settings(declared: MamObject, *, split_rules: bool | None) -> Iterator[Finding]:
    if declared.is_ios and not declared.apps:
        yield finding(
            "apps",
            "mam-apps-missing",
            "on iOS the tunnel is per app, and no app is listed",
            hint="Add their bundle ids.",
        )
    if not declared.is_ios and declared.apps and EDGE_ANDROID not in declared.apps:
        yield finding(
            "apps",
            "mam-apps-without-edge",
            "the list of apps that use the tunnel does not include Edge, which starts it",
            hint="Add {edge}.",
            edge=EDGE_ANDROID,
        )
    for name in declared.apps:
        if not PACKAGE.fullmatch(name):
            yield APP_CONFIG_APP_ID(name=name[:80])
    yield from judge_proxy(declared.proxy) if declared.proxy else ()
    if not declared.is_ios and declared.bypassed_urls:
        yield APP_KEY(key="bypassed_urls", other="iOS").at("bypassed_urls")
    for host in declared.bypassed_urls if declared.is_ios else ():
        if not is_host(host):
            yield finding(
                "bypassed_urls",
                "mam-bypassed-host",
                "“{host}” is not a host name",
                hint="Write only the host.",
                host=host[:80],
            )
    if declared.is_ios and declared.proxy and declared.proxy.address and split_rules is not False:
        yield finding(
            "proxy",
            "mam-proxy-without-pac",
            "with a direct proxy, iOS ignores the split tunnelling rules that the site {has}",
            hint="Set proxy.pac_url instead.",
            fatal=False,
            has="has" if split_rules else text("may have"),
        )


def _beside(
    declared: MamObject, others: Iterable[MamObject], profiles: Iterable[ProfileObject]
) -> Iterator[Finding]:
    """Report other objects for the same users: a device applies only one policy with tunnel settings."""
    groups = set(declared.groups)
    for other in others:
        is_same = other.name.casefold() == declared.name.casefold()
        if not is_same and other.platform is declared.platform and groups.intersection(other.groups):
            yield finding(
                "groups",
                "mam-twice",
                "a group also gets {other}, but a device applies the tunnel settings of only one policy",
                hint="Remove the group from one of them.",
                other=other.name,
            )
    for profile in profiles:
        if profile.is_ios is declared.is_ios and groups.intersection(profile.groups):
            yield finding(
                "groups",
                "mam-beside-profile",
                (
                    "a group also gets the VPN profile {profile}, but a device uses the tunnel of only "
                    "one of them"
                ),
                hint="Put enrolled and unenrolled devices in different groups.",
                fatal=False,
                profile=profile.name,
            )
