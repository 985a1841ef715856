"""VPN profiles, each with the trusted root that goes with it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from typing_extensions import override

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, Wire, differences, update
from mst_admin.errors import NAME_UNKNOWN, PROFILE_PLATFORM_FIXED, PROFILE_UNKNOWN
from mst_admin.kinds.kind import FileKind, References, find_one, only
from mst_admin.kinds.site import find_site
from mst_admin.kinds.tenant import Declarations, Planning, SiteAddress, TenantObjects, names_of
from mst_admin.kinds.trusted_root import certificate_in, pem_of, root_changes, root_deletion, roots_of_mam
from mst_admin.objects.app import judge_per_app
from mst_admin.objects.parts import targets, wanted_targets, without_empty
from mst_admin.objects.profile import ConnectionType, ProfileFile, ProfileObject, TrustedRootObject
from mst_admin.objects.profile_rules import RETIRED_CLIENT, judge_profile
from mst_admin.objects.profile_wire import (
    CLIENT_KEYS,
    PROFILE_NOT_DECLARABLE,
    ROOT_TYPES,
    TYPES,
    PresentProfile,
    addresses_of,
    extra,
    is_root_name,
    is_tunnel_profile,
    not_declared,
    present_body,
    profile_body,
    profile_object,
    root_name,
    server_address,
)
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.base.errors import TenantError, UsageError
from mstunnel_setup.base.problem import Severity
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.gateway.configuration import DEFAULT_PORT
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment, TunnelSite

_SITE: Final = "site"
"""Name under which a profile's site stands among its properties."""
_SITE_ID: Final = "microsoftTunnelSiteId"


class ProfileKind(FileKind[ProfileObject, PresentProfile]):
    """VPN profiles for Microsoft Tunnel. One of the tenant is read without its assignments at first."""

    name = "profile"
    what = "profile"
    label = "VPN profile"
    section = "profiles"
    certificate_key = "trusted_root"
    command = "profile"
    result = "profile"
    head = ("NAME", "TYPE", "ID")
    nothing = text("There is no VPN profile yet.")
    file = ProfileFile
    empty = frozenset({("custom_settings",), ("groups",)})
    documents = "profiles"

    @override
    def judge(
        self, declared: ProfileObject, beside: Declarations, resolve: Resolve | None = None
    ) -> Iterable[Finding]:
        yield from judge_profile(declared, split_rules=beside.has_split_rules(declared.site))
        if "apps" in beside.model_fields_set:
            yield from judge_per_app(declared, beside.apps)

    @override
    def completed(self, declared: ProfileObject) -> ProfileObject:
        if declared.trusted_root is None:
            return declared
        certificate = certificate_in(declared.trusted_root, self.certificate_key)
        return declared.model_copy(update={"trusted_root": certificate})

    @override
    def declared_of(self, tenant: TenantObjects) -> Sequence[ProfileObject]:
        """With sites by name, and with the certificates of the trusted roots that go with them."""
        sites = {site.id: site.display_name for site in tenant.sites}
        roots = {item.name.casefold(): item for item in tenant.profiles if not item.is_tunnel}
        found = []
        for item in tenant.tunnel_profiles:
            profile = self.declared(item)
            root = roots.get(root_name(profile.name).casefold())
            known = {"site": sites.get(profile.site, profile.site), "trusted_root": root and pem_of(root)}
            found.append(profile.model_copy(update=known))
        return found

    @override
    def not_declarable(self, tenant: TenantObjects) -> Iterator[Finding]:
        for item in tenant.tunnel_profiles:
            yield from not_declared(item.found, item.assignments)
        of_profiles = {root_name(item.name).casefold() for item in tenant.tunnel_profiles}
        for root in roots_of_mam(tenant):
            if is_root_name(root.name) and root.name.casefold() not in of_profiles:
                what = text("a trusted root of that name, as no VPN profile has it")
                yield PROFILE_NOT_DECLARABLE(profile=plain(root.name), what=what)

    @override
    def missing(self, declared: ProfileObject, planning: Planning) -> Iterator[tuple[str, str]]:
        if planning.site(declared.site) is None:
            yield "site", text("no site is called `{site}`", site=declared.site)

    @override
    def changes(self, declared: ProfileObject, planning: Planning) -> Iterator[Change]:
        """The trusted root comes first.

        What a file cannot say of a profile stays, as do assignments of other kinds and their filters. Raises
        TenantError: `name-ambiguous`, `profile-platform-fixed`, `connection-type-fixed`.
        """
        site = planning.site(declared.site)
        if site is not None:
            yield from profile_changes(declared, site, planning.tenant.profiles)

    @override
    def deletions(self, planning: Planning) -> Iterator[Change]:
        kept = names_of(planning.declared.profiles)
        for item in planning.tenant.tunnel_profiles:
            if item.name.casefold() not in kept:
                yield from profile_deletions(item.name, planning.tenant.profiles)

    @override
    def create(self, change: Change, references: References) -> None:
        created = references.graph.create_profile(_with_site_id(change, references))
        references.graph.assign(created.id, change.after[ASSIGNMENTS])

    @override
    def update(self, change: Change, references: References) -> None:
        graph = references.graph
        if body := _with_site_id(change, references):
            graph.update_profile(change.identifier, {**body, TYPE: change.before[TYPE]})
        if ASSIGNMENTS in change.after:
            graph.assign(change.identifier, change.after[ASSIGNMENTS])

    @override
    def delete(self, change: Change, references: References) -> None:
        references.graph.delete_profile(change.identifier)

    @override
    def matching(self, graph: AdminGraph, wanted: str) -> Sequence[PresentProfile]:
        return [item for item in read_profiles(graph, wanted) if item.is_tunnel]

    @override
    def all(self, graph: AdminGraph) -> Sequence[PresentProfile]:
        return [PresentProfile(item) for item in graph.profiles() if is_tunnel_profile(item)]

    @override
    def find(self, graph: AdminGraph, wanted: str) -> PresentProfile:
        return PresentProfile(find_profile(graph, wanted))

    @override
    def row(self, present: PresentProfile) -> tuple[str, ...]:
        return present.name, present.found.odata_type.rpartition(".")[2], present.id

    @override
    def declared(self, present: PresentProfile) -> ProfileObject:
        return profile_object(present.found, present.assignments)

    @override
    def shown(self, graph: AdminGraph, present: PresentProfile) -> tuple[Body, Body]:
        assigned = graph.assignments(present.id)
        site = str(extra(present.found).get(_SITE_ID) or "")
        names = {item.id: item.display_name for item in graph.sites()}
        assignments = [item.model_dump(mode="json", by_alias=True) for item in assigned]
        lines: Body = {**present.wire, "assignments": [item["target"] for item in assignments]}
        if present.is_tunnel:
            declared = profile_object(present.found, assigned).model_dump(mode="json", exclude_defaults=True)
            lines = {**declared, "site": names.get(site, site), "id": present.id}
        return {"profile": present.wire, "assignments": assignments}, lines

    @override
    def removal(self, graph: AdminGraph, present: PresentProfile) -> tuple[str, Sequence[Change], Body]:
        """An id may be any profile's: one that is not for the tunnel is a TenantError `name-unknown`."""
        if not present.is_tunnel:
            raise NAME_UNKNOWN(place="tenant", kind=self.what, name=present.id, command=self.command)
        name = root_name(present.name)
        changes = [*self.deleting(present), *root_deletion(name, [*read_profiles(graph, name)])]
        return f"Delete the profile {present.name} ({present.id})?", changes, {"profile": present.id}

    @override
    def deleting(self, present: PresentProfile) -> Iterable[Change]:
        yield Change("delete", self.name, present.name, present.id)

    @override
    def surroundings(
        self, graph: AdminGraph, declared: ProfileObject, present: Sequence[PresentProfile]
    ) -> tuple[ProfileObject, TenantObjects]:
        site = find_site(graph, declared.site)
        used = site.microsoft_tunnel_configuration
        known = (*present, *read_profiles(graph, root_name(declared.name)))
        tenant = TenantObjects(configurations=(used,) if used else (), sites=(site,), profiles=known)
        return declared.model_copy(update={"site": site.display_name}), tenant

    @override
    def lint(self, graph: AdminGraph, wanted: str) -> Iterable[Finding]:
        found = self.find(graph, wanted).found
        named = str(extra(found).get(_SITE_ID) or "")
        site = graph.site(named) if is_guid(named) else None
        return list(lint(found, site, graph.assignments(found.id)))

    @override
    def made(self, graph: AdminGraph, declared: ProfileObject) -> Body:
        roots = graph.profiles(root_name(declared.name)) if declared.trusted_root else []
        return {
            "profile": find_profile(graph, declared.name).id,
            "trusted_root": roots[0].id if roots else None,
        }

    @override
    def unknown(self, name: str) -> TenantError:
        return PROFILE_UNKNOWN(name=name)

    @override
    def unreadable(self, path: Path, reason: str | None) -> UsageError:
        return UsageError(
            "profile-unreadable",
            "the profile {path} cannot be read: {reason}",
            hint="Check the path.",
            path=path,
            reason=reason,
        )

    @override
    def invalid(self, problem: str) -> UsageError:
        return UsageError(
            "profile-invalid",
            "{problem}",
            hint=(
                "Correct the file; `mst-admin profile schema` prints a JSON Schema that editors check it "
                "with."
            ),
            problem=problem,
        )


PROFILE = ProfileKind()


def read_profiles(graph: AdminGraph, name: str | None = None) -> Iterator[PresentProfile]:
    """The VPN profiles for Microsoft Tunnel and the trusted roots, or those called `name`."""
    for found in graph.profiles(name):
        if is_tunnel_profile(found) or found.odata_type in ROOT_TYPES:
            yield PresentProfile(found, tuple(graph.assignments(found.id)))


def find_profile(graph: AdminGraph, wanted: str) -> DeviceConfiguration:
    """The VPN profile with this name, or any with this id. Raises what `find_one` raises."""

    def called(name: str) -> list[DeviceConfiguration]:
        return [item for item in graph.profiles(name) if is_tunnel_profile(item)]

    return find_one("profile", "profile", wanted, graph.profile, called)


def profile_changes(
    profile: ProfileObject, site: SiteAddress, present: Sequence[PresentProfile]
) -> Iterator[Change]:
    """What makes the tenant's profile, and its trusted root, as declared."""
    if profile.trusted_root is None:
        yield from root_deletion(root_name(profile.name), present)
    else:
        root = TrustedRootObject.model_construct(
            name=root_name(profile.name),
            platform=profile.platform,
            certificate=profile.trusted_root,
            all_users=profile.all_users,
            all_devices=profile.all_devices,
            groups=profile.groups,
            excluded_groups=profile.excluded_groups,
            role_scope_tag_ids=profile.role_scope_tag_ids,
        )
        yield from root_changes(root, present)
    found = _named(profile.name, present)
    if found is None:
        yield Change("create", "profile", profile.name, after=without_empty(_body(profile, site)))
        return
    if found.found.odata_type != TYPES[profile.platform]:
        raise PROFILE_PLATFORM_FIXED(profile=found.name, platform=profile.platform)
    there = profile_object(found.found, found.assignments)
    if profile.connection_type and profile.connection_type is not there.connection:
        raise TenantError(
            "connection-type-fixed",
            "the profile {name} in the tenant has the connection type {connection}",
            hint="Remove connection_type, or use another name: the type of a profile cannot be changed.",
            name=profile.name,
            connection=there.connection,
        )
    body = _body(profile.model_copy(update={"connection_type": there.connection_type}), site)
    body[ASSIGNMENTS] = wanted_targets(profile, found.assignments)
    site_id = extra(found.found).get(_SITE_ID)
    known_site = site.name if site.site_id and site_id == site.site_id else site_id
    said = {
        **present_body(there, found.found, site.address),
        _SITE: known_site,
        ASSIGNMENTS: found.properties[ASSIGNMENTS],
    }
    differs = differences(said, body)
    if "customData" in differs:
        differs |= _custom_settings(body, found.found)
    yield from update("profile", found.name, found.id, {**found.properties, _SITE: known_site}, differs)


def profile_deletions(name: str, present: Sequence[PresentProfile]) -> Iterator[Change]:
    """What deletes a profile and the trusted root that goes with it."""
    profile = _named(name, present)
    if profile is not None:
        yield Change("delete", "profile", profile.name, profile.id)
    yield from root_deletion(root_name(name), present)


def _named(name: str, present: Sequence[PresentProfile]) -> PresentProfile | None:
    found = [item for item in present if item.is_tunnel and item.name.casefold() == name.casefold()]
    return only(found, "profile", name)


def _body(profile: ProfileObject, site: SiteAddress) -> Body:
    body = {**profile_body(profile, site.site_id, site.address), ASSIGNMENTS: list(targets(profile))}
    del body[_SITE_ID]
    return {**body, _SITE: site.name}


def _custom_settings(body: Wire, found: DeviceConfiguration) -> Body:
    """Declared settings in the one list, the other one empty; the entries that choose the client stay."""
    wire = extra(found)
    client = [item for item in wire.get("customData") or () if item.get("key") in CLIENT_KEYS]
    settings = [item for item in body["customData"] if item["key"] not in CLIENT_KEYS]
    other: Body = {"customKeyValueData": []} if wire.get("customKeyValueData") else {}
    return {"customData": [*client, *settings], **other}


def _with_site_id(change: Change, references: References) -> Body:
    """The properties to write; the site by its id, which it may have been given a moment ago."""
    body = {name: value for name, value in change.after.items() if name not in {ASSIGNMENTS, _SITE}}
    if _SITE in change.after:
        body[_SITE_ID] = references.site_id(str(change.after[_SITE]))
    return body


def lint(
    found: DeviceConfiguration, site: TunnelSite | None, assignments: Sequence[DeviceConfigurationAssignment]
) -> Iterator[Finding]:
    """What is wrong with a profile of the tenant, whatever created it; `site` is the one that it names."""
    wire, profile = extra(found), profile_object(found, assignments)
    if not is_tunnel_profile(found):
        yield finding(
            "connection",
            "not-a-tunnel-profile",
            "the connection type is {connection}, not Microsoft Tunnel",
            hint="Choose another profile.",
            connection=wire.get("connectionType"),
        )
    elif profile.connection is ConnectionType.TUNNEL and not profile.is_ios:
        yield replace(RETIRED_CLIENT(connection="microsoftTunnel"), key="connection", severity=Severity.ERROR)
    configuration = site.microsoft_tunnel_configuration if site else None
    if site is None:
        yield finding(
            "site",
            "site-missing",
            "the site that the profile names ({site}) does not exist",
            hint="Choose a site.",
            site=wire.get(_SITE_ID) or "none",
        )
    else:
        addresses = addresses_of(found)
        port = (configuration.listen_port if configuration else None) or DEFAULT_PORT
        wanted = server_address(site.public_address or "", port)
        if [address.casefold() for address in addresses] != [wanted.casefold()]:
            yield finding(
                "site",
                "server-address-differs",
                "the profile names {servers}, the site is at {address}",
                hint="Select the site again in the profile, or create a new profile.",
                servers=", ".join(addresses) or text("no server"),
                address=wanted,
            )
    declared = profile.model_copy(update={"connection_type": None})  # what is there is judged here
    split_rules = bool(configuration.includes or configuration.excludes) if configuration else None
    yield from judge_profile(declared, split_rules=split_rules)
