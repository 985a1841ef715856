"""VPN profiles and the trusted roots that go with them, compared with the tenant's."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mst_admin.change import ASSIGNMENTS, Body, Change, Wire, differences, update
from mst_admin.errors import PROFILE_PLATFORM_FIXED
from mst_admin.objects.parts import targets, wanted_targets, without_empty
from mst_admin.objects.profile import ProfileObject
from mst_admin.objects.profile_wire import (
    CLIENT_KEYS,
    TYPES,
    extra,
    present_body,
    profile_body,
    profile_object,
    root_name,
)
from mst_admin.present_profiles import PresentProfile, named, properties_of
from mst_admin.root_changes import root_changes, root_deletion, root_of
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.tenant.wire import DeviceConfiguration

SITE: Final = "site"
"""Name under which a profile's site stands among its properties."""
SITE_ID: Final = "microsoftTunnelSiteId"


@dataclass(frozen=True)
class Place:
    """The site of a profile, and where devices find it; it has no id while it is still to be created."""

    name: str
    site_id: str
    address: str


def profile_changes(
    profile: ProfileObject, place: Place, present: Sequence[PresentProfile]
) -> Iterator[Change]:
    """What makes the tenant's profile, and its trusted root, as declared: the root comes first.

    What a file cannot say of a profile stays as it is, as do assignments of other kinds and their filters.

    Raises TenantError: `name-ambiguous`, `profile-platform-fixed`, `connection-type-fixed`.
    """
    root = root_of(profile)
    yield from root_changes(root, present) if root else root_deletion(root_name(profile.name), present)
    found = named(profile.name, present, tunnel=True)
    if found is None:
        yield Change("create", "profile", profile.name, after=without_empty(_body(profile, place)))
        return
    if found.found.odata_type != TYPES[profile.platform]:
        raise PROFILE_PLATFORM_FIXED(profile=found.found.display_name, platform=profile.platform)
    present_profile = profile_object(found.found, found.assignments)
    if profile.connection_type and profile.connection_type is not present_profile.connection:
        raise TenantError(
            "connection-type-fixed",
            "the profile {name} in the tenant has the connection type {connection}",
            hint=("Remove connection_type, or use another name: the type of a profile cannot be changed."),
            name=profile.name,
            connection=present_profile.connection,
        )
    body = _body(profile.model_copy(update={"connection_type": present_profile.connection_type}), place)
    body[ASSIGNMENTS] = wanted_targets(profile, found.assignments)
    site = extra(found.found).get(SITE_ID)
    same_site = place.site_id and site == place.site_id
    said = {
        **present_body(present_profile, found.found, place.address),
        SITE: place.name if same_site else site,
        ASSIGNMENTS: properties_of(found)[ASSIGNMENTS],
    }
    differs = differences(said, body)
    if "customData" in differs:
        differs |= _custom_settings(body, found.found)
    before = {**properties_of(found), SITE: said[SITE]}
    yield from update("profile", found.found.display_name, found.found.id, before, differs)


def _body(profile: ProfileObject, place: Place) -> Body:
    body = {**profile_body(profile, place.site_id, place.address), ASSIGNMENTS: list(targets(profile))}
    del body[SITE_ID]
    return {**body, SITE: place.name}


def _custom_settings(body: Wire, found: DeviceConfiguration) -> Body:
    """Declared settings in the one list, the other one empty; the entries that choose the client stay."""
    wire = extra(found)
    client = [item for item in wire.get("customData") or () if item.get("key") in CLIENT_KEYS]
    settings = [item for item in body["customData"] if item["key"] not in CLIENT_KEYS]
    other: Body = {"customKeyValueData": []} if wire.get("customKeyValueData") else {}
    return {"customData": [*client, *settings], **other}


def profile_deletions(name: str, present: Sequence[PresentProfile]) -> Iterator[Change]:
    """What deletes a profile and the trusted root that goes with it."""
    profile = named(name, present, tunnel=True)
    if profile is not None:
        yield Change("delete", "profile", profile.found.display_name, profile.found.id)
    yield from root_deletion(root_name(name), present)
