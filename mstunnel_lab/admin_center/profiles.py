"""Admin center: the VPN profiles for Microsoft Tunnel, read only; `mst-admin profile` writes them."""

from io import StringIO
from typing import Final

from ruamel.yaml import YAML
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from mst_admin.objects import profile_wire
from mst_admin.objects.profile import ProfilePlatform
from mst_admin.objects.profile_rules import judge_profile
from mstunnel_lab.admin_center.render import page
from mstunnel_lab.admin_center.sections import Column, listing
from mstunnel_lab.admin_center.session import signed_in
from mstunnel_lab.errors import not_found
from mstunnel_lab.graph.profiles import PROFILES
from mstunnel_lab.state import Lab
from mstunnel_setup.tenant.wire_intune import DeviceConfiguration, DeviceConfigurationAssignment

_TITLES: Final = {
    ProfilePlatform.ANDROID_DEVICE_OWNER: "Android Enterprise: corporate-owned work profile (VPN)",
    ProfilePlatform.ANDROID_WORK_PROFILE: "Android Enterprise: personally-owned work profile (VPN)",
    ProfilePlatform.IOS: "iOS/iPadOS (VPN)",
}
"""Platform and profile type, as Intune's admin center names them."""
_PLATFORMS: Final = {name: platform for platform, name in profile_wire.TYPES.items()}
_COLUMNS: Final = (
    Column[DeviceConfiguration]("name", "Name", lambda item: item.display_name),
    Column[DeviceConfiguration]("platform", "Platform", lambda item: _TITLES[_PLATFORMS[item.odata_type]]),
)


@signed_in
async def profiles(request: Request, lab: Lab) -> Response:
    """List the VPN profiles of Microsoft Tunnel."""
    known = [item for item in lab.store.each(DeviceConfiguration) if profile_wire.is_tunnel_profile(item)]
    found = listing(request, known, _COLUMNS)
    return page(request, "list.html", tab="profiles", title="Configuration profiles", found=found, create="")


@signed_in
async def profile(request: Request, lab: Lab) -> Response:
    """Show a profile as a file for `mst-admin profile create`."""
    found = PROFILES.find(lab, request.path_params["id"])
    if not profile_wire.is_tunnel_profile(found):
        raise not_found(PROFILES.name, found.id)
    declared = profile_wire.profile_object(
        found, lab.store.each(DeviceConfigurationAssignment, parent=found.id)
    )
    text = StringIO()
    YAML(typ="rt", pure=True).dump(declared.model_dump(mode="json", exclude_defaults=True), text)
    return page(
        request,
        "profile.html",
        tab="profiles",
        found=found,
        platform=_TITLES[_PLATFORMS[found.odata_type]],
        declaration=text.getvalue(),
        advice=judge_profile(declared),
    )


ROUTES = [Route("/admin/profiles", profiles), Route("/admin/profiles/{id}", profile)]
