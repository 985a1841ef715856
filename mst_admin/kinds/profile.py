"""VPN profiles with their own trusted roots, and trusted roots without a profile."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Final

from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import BasicConstraints, load_pem_x509_certificate
from pydantic import Field

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, differences, update
from mst_admin.errors import NAME_UNKNOWN, PROFILE_UNKNOWN
from mst_admin.kinds.kind import Declared, FileKind, Kind, References
from mst_admin.kinds.lookup import called
from mst_admin.kinds.reports import GroupNames, ObjectIdentity, ObjectReport
from mst_admin.kinds.tenant import Declarations, Planning, SiteAddress, TenantObjects
from mst_admin.kinds.tunnel import SITE
from mst_admin.objects.app import judge_per_app
from mst_admin.objects.parts import assignees, targets, wanted_targets, without_empty
from mst_admin.objects.profile import (
    PEM_START,
    ConnectionType,
    ProfileFile,
    ProfileObject,
    TrustedRootObject,
    as_documented,
    turns_on_global_secure_access,
)
from mst_admin.objects.profile_rules import RETIRED_CLIENT, judge_profile, judge_root
from mst_admin.objects.profile_wire import (
    CLIENT_KEYS,
    PROFILE_NOT_DECLARABLE,
    ROOT_CERTIFICATE,
    ROOT_FILE_NAME,
    ROOT_PLATFORMS,
    TYPES,
    PresentProfile,
    addresses_of,
    extra,
    is_for_ios,
    is_root_name,
    is_tunnel_profile,
    not_declared,
    present_body,
    profile_body,
    profile_object,
    root_body,
    root_name,
    server_address,
)
from mst_admin.objects.site import Resolve
from mstunnel_setup.answers.finding import Finding, finding
from mstunnel_setup.base.errors import CertificateError, TenantError, UsageError, declare
from mstunnel_setup.base.problem import Severity
from mstunnel_setup.base.result import Report
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import PROFILES, AdminGraph
from mstunnel_setup.tenant.wire import TunnelSite
from mstunnel_setup.tenant.wire_intune import DeviceConfiguration, DeviceConfigurationAssignment

PROFILE_INVALID = declare(
    UsageError,
    "profile-invalid",
    "{problem}",
    "Correct the file; `mst-admin profile schema` prints a JSON Schema that editors check it with.",
)
PROFILE_PLATFORM_FIXED = declare(
    TenantError,
    "profile-platform-fixed",
    "the profile {profile} in the tenant is not for the platform {platform}",
    "Use another name: the type of a profile cannot be changed.",
)
PROFILE_UNREADABLE = declare(
    UsageError, "profile-unreadable", "the profile {path} cannot be read: {reason}", "Check the path."
)

_SITE = "site"
"""Key of the site among the properties of a profile."""
_SITE_ID = "microsoftTunnelSiteId"


class _DeviceConfigurationKind(Kind[Declared, PresentProfile]):
    """Base of VPN profiles and trusted roots, which are both device configurations."""

    collection = PROFILES

    def completed(self, declared: Declared) -> Declared:
        """Return the object with its certificate, given as path or text, as PEM. Raises CertificateError."""
        given = getattr(declared, self.certificate_key)
        if given is None:
            return declared
        inline = given.lstrip().startswith(PEM_START)
        content = given.encode() if inline else Files().read(given)
        if content is None:
            raise CertificateError(
                "trusted-root-missing",
                "there is no certificate at {path}",
                hint="Check the path.",
                path=given,
            )
        (root, *others) = read_material(content).certificates or (None,)
        extensions = root.extensions if root else ()
        authority = [item.value.ca for item in extensions if isinstance(item.value, BasicConstraints)]
        if root is None or others or not any(authority):
            raise CertificateError(
                "trusted-root-unsuitable",
                "{path} does not hold exactly one CA certificate",
                hint="Use only the root certificate of the CA that issued the gateway's certificate.",
                path=self.certificate_key if inline else given,
            )
        pem = root.public_bytes(Encoding.PEM).decode()
        return declared.model_copy(update={self.certificate_key: pem})

    def properties(self, change: Change, references: References) -> Body:
        body = super().properties(change, references)
        if _SITE in body:
            # An earlier change may have created the site, so it is looked up only now.
            body[_SITE_ID] = references.id_of(SITE, str(body.pop(_SITE)))
        return body


class _TrustedRootKind(_DeviceConfigurationKind[TrustedRootObject]):
    """Trusted roots, the certificates of private authorities; they have no command group."""

    name = "trusted root"
    what = "trusted root"
    section = "trusted_roots"
    certificate_key = "certificate"

    def judge(
        self, declared: TrustedRootObject, _beside: Declarations, _resolve: Resolve | None
    ) -> Iterable[Finding]:
        return judge_root(declared)

    def declared(self, present: PresentProfile) -> TrustedRootObject:
        return TrustedRootObject.model_construct(
            name=present.name,
            platform=ROOT_PLATFORMS[present.found.odata_type],
            certificate=present.certificate or "",
            role_scope_tag_ids=present.found.role_scope_tag_ids,
            **assignees(present.assignments),
        )

    def names(self, tenant: TenantObjects) -> list[str]:
        """Return the names of the trusted roots of Tunnel for MAM and of VPN profiles."""
        wanted = {root.name.casefold() for root in tenant.roots_of_mam}
        wanted |= {root_name(profile.name).casefold() for profile in tenant.profiles}
        return [root.name for root in tenant.roots if root.name.casefold() in wanted]

    def changes(self, declared: TrustedRootObject, planning: Planning) -> Iterator[Change]:
        yield from _root_changes(declared, planning.tenant.roots)


TRUSTED_ROOT: Final = _TrustedRootKind()


class ProfileReport(ObjectReport):
    """One profile and its assignments."""

    assignments: tuple[DeviceConfigurationAssignment, ...]
    groups: GroupNames = Field(default_factory=dict)


class ProfileChanges(ObjectIdentity):
    """A profile that was created or changed."""

    trusted_root: str | None = Field(description="Id of the trusted root that goes with it.")
    changes: tuple[Change, ...]


class _ProfileKind(_DeviceConfigurationKind[ProfileObject], FileKind[ProfileObject, PresentProfile]):
    """VPN profiles for Microsoft Tunnel; lists are read without assignments."""

    name = "profile"
    what = "profile"
    section = "profiles"
    certificate_key = "trusted_root"
    command = "profile"
    reports: ClassVar = {
        **FileKind.reports,
        "show": ProfileReport,
        "create": ProfileChanges,
        "update": ProfileChanges,
    }
    head = ("NAME", "TYPE", "ID")
    file = ProfileFile
    empty = frozenset({("custom_settings",), ("groups",)})
    unknown = PROFILE_UNKNOWN
    unreadable = PROFILE_UNREADABLE
    invalid = PROFILE_INVALID

    @property
    def label(self) -> str:
        return "VPN profile"

    def judge(
        self, declared: ProfileObject, beside: Declarations, _resolve: Resolve | None
    ) -> Iterable[Finding]:
        yield from judge_profile(declared, split_rules=beside.has_split_rules(declared.site))
        if "apps" in beside.model_fields_set:
            yield from judge_per_app(declared, beside.apps)

    def declared(self, present: PresentProfile) -> ProfileObject:
        return profile_object(present.found, present.assignments)

    def not_declared(self, present: PresentProfile) -> Iterable[Finding]:
        return not_declared(present.found, present.assignments)

    def row(self, present: PresentProfile) -> tuple[str, ...]:
        return present.name, present.found.odata_type.rpartition(".")[2], present.id

    def declared_of(self, tenant: TenantObjects) -> Sequence[ProfileObject]:
        """Return the declared profiles with sites by name and the certificates of their trusted roots."""
        sites = {site.id: site.display_name for site in tenant.sites}
        roots = {item.name.casefold(): item for item in tenant.roots}
        found = []
        for profile in super().declared_of(tenant):
            root = roots.get(root_name(profile.name).casefold())
            known = {"site": sites.get(profile.site, profile.site), "trusted_root": root and root.certificate}
            found.append(profile.model_copy(update=known))
        return found

    def not_declarable(self, tenant: TenantObjects) -> Iterator[Finding]:
        yield from super().not_declarable(tenant)
        of_profiles = {root_name(item.name).casefold() for item in tenant.profiles}
        for root in tenant.roots_of_mam:
            if is_root_name(root.name) and root.name.casefold() not in of_profiles:
                what = text("a trusted root of that name, as no VPN profile has it")
                yield PROFILE_NOT_DECLARABLE(profile=plain(root.name), what=what)

    def missing(self, declared: ProfileObject, planning: Planning) -> Iterator[tuple[str, str]]:
        if planning.site(declared.site) is None:
            yield "site", text("no site is called `{site}`", site=declared.site)

    def changes(self, declared: ProfileObject, planning: Planning) -> Iterator[Change]:
        """Return the changes of a profile, after those of its trusted root.

        Properties, assignments and filters that a file cannot express are kept. Raises TenantError
        `name-ambiguous`, `profile-platform-fixed`, `connection-type-fixed`.
        """
        site, roots = planning.site(declared.site), planning.tenant.roots
        if site is None:
            return
        if declared.trusted_root is None:
            yield from _root_deletion(declared.name, roots)
        else:
            root = TrustedRootObject.model_construct(
                name=root_name(declared.name),
                platform=declared.platform,
                certificate=declared.trusted_root,
                all_users=declared.all_users,
                all_devices=declared.all_devices,
                groups=declared.groups,
                excluded_groups=declared.excluded_groups,
                role_scope_tag_ids=declared.role_scope_tag_ids,
            )
            yield from _root_changes(root, roots)
        found = called(declared.name, planning.tenant.profiles, "profile")
        if found is None:
            yield Change("create", self.name, declared.name, after=without_empty(_body(declared, site)))
        else:
            yield from self._updates(declared, site, found)

    def _updates(self, declared: ProfileObject, site: SiteAddress, found: PresentProfile) -> Iterator[Change]:
        """Return the updates of a profile of the tenant."""
        if found.found.odata_type != TYPES[declared.platform]:
            raise PROFILE_PLATFORM_FIXED(profile=found.name, platform=declared.platform)
        there = self.declared(found)
        if declared.connection_type and declared.connection_type is not there.connection:
            raise TenantError(
                "connection-type-fixed",
                "the profile {name} in the tenant has the connection type {connection}",
                hint="Remove connection_type, or use another name: the type of a profile cannot be changed.",
                name=declared.name,
                connection=there.connection,
            )
        body = _body(declared.model_copy(update={"connection_type": there.connection_type}), site)
        body[ASSIGNMENTS] = wanted_targets(declared, found.assignments)
        wire = extra(found.found)
        site_id = wire.get(_SITE_ID)
        own = {_SITE: site.name if site.site_id and site_id == site.site_id else site_id}
        before = {**found.properties, **own}
        said = {**present_body(there, found.found, site.address), **own, ASSIGNMENTS: before[ASSIGNMENTS]}
        differs = differences(said, body)
        if "customData" in differs:
            # Declared settings go into one list and empty the other; entries that select the client stay.
            client = [item for item in wire.get("customData") or () if item.get("key") in CLIENT_KEYS]
            settings = [item for item in body["customData"] if item["key"] not in CLIENT_KEYS]
            differs["customData"] = [*client, *settings]
            if wire.get("customKeyValueData"):
                differs["customKeyValueData"] = []
        yield from update(self.name, found.name, found.id, before, differs)

    def changes_to_delete(self, present: PresentProfile, tenant: TenantObjects) -> Iterator[Change]:
        """Return the deletions of a profile and its trusted root."""
        found = called(present.name, tenant.profiles, "profile") or present
        yield Change("delete", self.name, found.name, found.id)
        yield from _root_deletion(found.name, tenant.roots)

    def by_id(self, graph: AdminGraph, identifier: str) -> PresentProfile | None:
        """Return the device configuration with this id, of any type."""
        found = graph.find(PROFILES, identifier)
        return PresentProfile(found) if found else None

    def named(self, graph: AdminGraph, name: str | None = None) -> Sequence[PresentProfile]:
        return [PresentProfile(item) for item in graph.objects(PROFILES, name) if is_tunnel_profile(item)]

    def all(self, graph: AdminGraph) -> Sequence[PresentProfile]:
        return self.named(graph)

    def matching(self, graph: AdminGraph, wanted: str) -> Sequence[PresentProfile]:
        return [item for item in read_profiles(graph, wanted) if item.is_tunnel]

    def shown(self, graph: AdminGraph, present: PresentProfile) -> tuple[Report, Body]:
        assigned = tuple(graph.profile_assignments(present.id))
        site = str(extra(present.found).get(_SITE_ID) or "")
        names = {item.id: item.display_name for item in graph.sites()}
        lines: Body = {**present.wire, "assignments": [item.target.document() for item in assigned]}
        if present.is_tunnel:
            declared = profile_object(present.found, assigned).model_dump(mode="json", exclude_defaults=True)
            lines = {**declared, "site": names.get(site, site), "id": present.id}
        return ProfileReport(object=present.wire, assignments=assigned), lines

    def deletion_to_confirm(self, graph: AdminGraph, present: PresentProfile) -> tuple[str, Sequence[Change]]:
        """Return the confirmation question and the deletions.

        Raises TenantError `name-unknown` if the id belongs to a profile that is not for the tunnel.
        """
        if not present.is_tunnel:
            raise NAME_UNKNOWN(place="tenant", kind=self.what, name=present.id, command=self.command)
        roots = TenantObjects(device_configurations=tuple(read_profiles(graph, root_name(present.name))))
        question = f"Delete the profile {present.name} ({present.id})?"
        return question, list(self.changes_to_delete(present, roots))

    def surroundings(
        self, graph: AdminGraph, declared: ProfileObject, present: Sequence[PresentProfile]
    ) -> tuple[ProfileObject, TenantObjects]:
        site = SITE.find(graph, declared.site)
        used = site.microsoft_tunnel_configuration
        known = (*present, *read_profiles(graph, root_name(declared.name)))
        tenant = TenantObjects((used,) if used else (), (site,), device_configurations=known)
        return declared.model_copy(update={"site": site.display_name}), tenant

    def lint(self, graph: AdminGraph, wanted: str) -> Iterable[Finding]:
        """Return the findings about a profile.

        Raises TenantError `name-unknown` if the id belongs to a profile that is not for a VPN.
        """
        found = self.find(graph, wanted).found
        if found.odata_type not in TYPES.values():
            raise NAME_UNKNOWN(place="tenant", kind=self.what, name=found.id, command=self.command)
        named = str(extra(found).get(_SITE_ID) or "")
        site = graph.site(named) if is_guid(named) else None
        return list(lint(found, site, graph.profile_assignments(found.id)))

    def written(self, graph: AdminGraph, declared: ProfileObject, changes: Sequence[Change]) -> Report:
        roots = graph.objects(PROFILES, root_name(declared.name)) if declared.trusted_root else []
        return ProfileChanges(
            id=self.find(graph, declared.name).id,
            trusted_root=roots[0].id if roots else None,
            changes=tuple(changes),
        )


PROFILE: Final = _ProfileKind()


def read_profiles(graph: AdminGraph, name: str | None = None) -> Iterator[PresentProfile]:
    """Read the VPN profiles for Tunnel and Global Secure Access and the trusted roots, or those of a name."""
    for found in graph.objects(PROFILES, name):
        of_access = is_for_ios(found) and turns_on_global_secure_access(profile_object(found, ()))
        if is_tunnel_profile(found) or found.odata_type in ROOT_PLATFORMS or of_access:
            yield PresentProfile(found, tuple(graph.profile_assignments(found.id)))


def _body(profile: ProfileObject, site: SiteAddress) -> Body:
    settings = profile.custom_settings if profile.is_ios else as_documented(profile.custom_settings)
    written = profile.model_copy(update={"custom_settings": settings})
    body = {**profile_body(written, site.site_id, site.address), ASSIGNMENTS: list(targets(profile))}
    del body[_SITE_ID]
    return {**body, _SITE: site.name}


def _root_changes(declared: TrustedRootObject, present: Sequence[PresentProfile]) -> Iterator[Change]:
    """Return the changes that make the trusted root match its declaration; the certificate is in PEM.

    Raises TenantError `name-ambiguous`, `profile-platform-fixed`.
    """
    body = root_body(declared, load_pem_x509_certificate(declared.certificate.encode()))
    found = called(declared.name, present, "profile")
    if found is None:
        after = {**body, ASSIGNMENTS: list(targets(declared))}
        yield Change("create", "trusted root", declared.name, after=after)
        return
    if found.found.odata_type != body[TYPE]:
        raise PROFILE_PLATFORM_FIXED(profile=found.name, platform=declared.platform)
    # The name of the uploaded file is kept, and its content while the certificate is the same.
    del body[ROOT_FILE_NAME]
    if found.certificate == declared.certificate:
        del body[ROOT_CERTIFICATE]
    body[ASSIGNMENTS] = wanted_targets(declared, found.assignments)
    before = found.properties
    yield from update("trusted root", found.name, found.id, before, differences(before, body))


def _root_deletion(profile: str, present: Sequence[PresentProfile]) -> Iterator[Change]:
    """Return the deletion of the trusted root of the profile with that name, if there is one."""
    found = called(root_name(profile), present, "profile")
    if found is not None:
        yield Change("delete", "trusted root", found.name, found.id)


def lint(
    found: DeviceConfiguration, site: TunnelSite | None, assignments: Sequence[DeviceConfigurationAssignment]
) -> Iterator[Finding]:
    """Return the findings about a profile of the tenant; `site` is the site that it names."""
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
        wanted = server_address(
            site.public_address or "", configuration.listen_port if configuration else None
        )
        if [address.casefold() for address in addresses] != [wanted.casefold()]:
            yield finding(
                "site",
                "server-address-differs",
                "the profile names {servers}, the site is at {address}",
                hint="Select the site again in the profile, or create a new profile.",
                servers=", ".join(addresses) or text("no server"),
                address=wanted,
            )
    declared = profile.model_copy(update={"connection_type": None})  # the tenant's own value is checked below
    split_rules = bool(configuration.includes or configuration.excludes) if configuration else None
    yield from judge_profile(declared, split_rules=split_rules)
