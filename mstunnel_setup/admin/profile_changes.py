"""VPN profiles and the trusted roots that go with them, compared with the tenant's."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mstunnel_setup.admin.assignments import ASSIGNMENTS, TYPE, target_of, targets, wanted_targets
from mstunnel_setup.admin.change import Body, Change, Wire
from mstunnel_setup.admin.comparison import differences, update
from mstunnel_setup.admin.errors import CONNECTION_TYPE_FIXED, NAME_AMBIGUOUS, PROFILE_PLATFORM_FIXED
from mstunnel_setup.admin.profiles.objects import ProfileObject
from mstunnel_setup.admin.profiles.present import (
    extra,
    is_tunnel_profile,
    present_body,
    profile_object,
)
from mstunnel_setup.admin.profiles.root import root_of
from mstunnel_setup.admin.profiles.wire import CLIENT_KEYS, TYPES, profile_body, root_body, root_name
from mstunnel_setup.admin.wire import without_empty
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment

SITE: Final = "site"
"""Name under which a profile's site stands among its properties."""
SITE_ID: Final = "microsoftTunnelSiteId"


@dataclass(frozen=True)
class Place:
    """The site of a profile, and where devices find it; it has no id while it is still to be created."""

    name: str
    site_id: str
    address: str


@dataclass(frozen=True)
class PresentProfile:
    """A device configuration of the tenant, and to whom it is assigned."""

    found: DeviceConfiguration
    assignments: tuple[DeviceConfigurationAssignment, ...] = ()


def profile_changes(
    profile: ProfileObject, place: Place, present: Sequence[PresentProfile]
) -> Iterator[Change]:
    """What makes the tenant's profile, and its trusted root, as declared: the root comes first.

    What a file cannot say of a profile stays as it is, as do assignments of other kinds and their filters.

    Raises TenantError: `name-ambiguous`, `profile-platform-fixed`, `connection-type-fixed`.
    """
    yield from _root(profile, _named(root_name(profile.name), present, tunnel=False))
    found = _named(profile.name, present, tunnel=True)
    if found is None:
        yield Change("create", "profile", profile.name, after=without_empty(_body(profile, place)))
        return
    _require_platform(profile, found.found)
    present_profile = profile_object(found.found, found.assignments)
    if profile.connection_type and profile.connection_type is not present_profile.connection:
        raise CONNECTION_TYPE_FIXED(name=profile.name, connection=present_profile.connection)
    body = _body(profile.model_copy(update={"connection_type": present_profile.connection_type}), place)
    body[ASSIGNMENTS] = wanted_targets(profile, found.assignments)
    named = extra(found.found).get(SITE_ID)
    same_site = place.site_id and named == place.site_id
    said = {
        **present_body(present_profile, found.found, place.address),
        SITE: place.name if same_site else named,
        ASSIGNMENTS: _before(found)[ASSIGNMENTS],
    }
    differs = differences(said, body)
    if "customData" in differs:
        differs |= _custom_settings(body, found.found)
    before = {**_before(found), SITE: said[SITE]}
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
    profile, root = _named(name, present, tunnel=True), _named(root_name(name), present, tunnel=False)
    if profile is not None:
        yield Change("delete", "profile", profile.found.display_name, profile.found.id)
    if root is not None:
        yield Change("delete", "trusted root", root.found.display_name, root.found.id)


def is_tunnel(item: PresentProfile) -> bool:
    """Whether this is a VPN profile for Microsoft Tunnel, and not a trusted root."""
    return is_tunnel_profile(item.found)


def profile_names(present: Iterable[PresentProfile]) -> dict[str, str]:
    """The names of the VPN profiles for Microsoft Tunnel by their ids."""
    return {item.found.id: item.found.display_name for item in present if is_tunnel(item)}


def _root(profile: ProfileObject, found: PresentProfile | None) -> Iterator[Change]:
    name, root = root_name(profile.name), root_of(profile)
    if root is None:
        if found is not None:
            yield Change("delete", "trusted root", name, found.found.id)
        return
    body = root_body(profile, root)
    if found is None:
        yield Change("create", "trusted root", name, after={**body, ASSIGNMENTS: list(targets(profile))})
        return
    _require_platform(profile, found.found, body[TYPE])
    before = _before(found)
    body[ASSIGNMENTS] = wanted_targets(profile, found.assignments)
    yield from update(
        "trusted root", found.found.display_name, found.found.id, before, differences(before, body)
    )


def _named(name: str, present: Sequence[PresentProfile], *, tunnel: bool) -> PresentProfile | None:
    found = [
        item
        for item in present
        if item.found.display_name.casefold() == name.casefold() and is_tunnel(item) is tunnel
    ]
    if len(found) > 1:
        ids = ", ".join(item.found.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind="profile", name=name, ids=ids)
    return found[0] if found else None


def _require_platform(profile: ProfileObject, found: DeviceConfiguration, wanted: str = "") -> None:
    if found.odata_type != (wanted or TYPES[profile.platform]):
        raise PROFILE_PLATFORM_FIXED(profile=found.display_name, platform=profile.platform)


def _before(present: PresentProfile) -> Body:
    wire = present.found.model_dump(mode="json", by_alias=True)
    return {**wire, ASSIGNMENTS: [target_of(item) for item in present.assignments]}
