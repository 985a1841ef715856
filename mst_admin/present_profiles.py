"""VPN profiles and trusted roots of the tenant, with their assignments."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mst_admin.change import ASSIGNMENTS, Body
from mst_admin.errors import NAME_AMBIGUOUS
from mst_admin.objects.parts import target_of
from mst_admin.objects.profile_wire import is_tunnel_profile
from mstunnel_setup.tenant.wire import DeviceConfiguration, DeviceConfigurationAssignment


@dataclass(frozen=True)
class PresentProfile:
    """A device configuration of the tenant, and to whom it is assigned."""

    found: DeviceConfiguration
    assignments: tuple[DeviceConfigurationAssignment, ...] = ()


def is_tunnel(item: PresentProfile) -> bool:
    """Whether this is a VPN profile for Microsoft Tunnel, and not a trusted root."""
    return is_tunnel_profile(item.found)


def profile_names(present: Iterable[PresentProfile]) -> dict[str, str]:
    """The names of the VPN profiles for Microsoft Tunnel by their ids."""
    return {item.found.id: item.found.display_name for item in present if is_tunnel(item)}


def named(name: str, present: Sequence[PresentProfile], *, tunnel: bool) -> PresentProfile | None:
    """The one VPN profile, or trusted root, of that name. Raises TenantError `name-ambiguous`."""
    found = [
        item
        for item in present
        if item.found.display_name.casefold() == name.casefold() and is_tunnel(item) is tunnel
    ]
    if len(found) > 1:
        ids = ", ".join(item.found.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind="profile", name=name, ids=ids)
    return found[0] if found else None


def properties_of(present: PresentProfile) -> Body:
    """What the tenant has of it, with the targets of its assignments."""
    wire = present.found.model_dump(mode="json", by_alias=True)
    return {**wire, ASSIGNMENTS: [target_of(item) for item in present.assignments]}
