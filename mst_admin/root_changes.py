"""Trusted roots compared with the tenant's: with a VPN profile, or declared by themselves."""

from collections.abc import Iterator, Sequence

from cryptography.x509 import load_pem_x509_certificate

from mst_admin.change import ASSIGNMENTS, TYPE, Change, differences, update
from mst_admin.errors import PROFILE_PLATFORM_FIXED
from mst_admin.objects.parts import targets, wanted_targets
from mst_admin.objects.profile import ProfileObject, TrustedRootObject
from mst_admin.objects.profile_wire import root_body, root_name
from mst_admin.present_profiles import PresentProfile, named, properties_of


def root_of(profile: ProfileObject) -> TrustedRootObject | None:
    """The trusted root that goes with a profile."""
    if profile.trusted_root is None:
        return None
    return TrustedRootObject.model_construct(
        name=root_name(profile.name),
        platform=profile.platform,
        certificate=profile.trusted_root,
        all_users=profile.all_users,
        all_devices=profile.all_devices,
        groups=profile.groups,
        excluded_groups=profile.excluded_groups,
        role_scope_tag_ids=profile.role_scope_tag_ids,
    )


def root_changes(declared: TrustedRootObject, present: Sequence[PresentProfile]) -> Iterator[Change]:
    """What makes the tenant's trusted root as declared; its certificate is in PEM.

    Raises TenantError: `name-ambiguous`, `profile-platform-fixed`.
    """
    body = root_body(declared, load_pem_x509_certificate(declared.certificate.encode()))
    found = named(declared.name, present, tunnel=False)
    if found is None:
        yield Change(
            "create", "trusted root", declared.name, after={**body, ASSIGNMENTS: list(targets(declared))}
        )
        return
    if found.found.odata_type != body[TYPE]:
        raise PROFILE_PLATFORM_FIXED(profile=found.found.display_name, platform=declared.platform)
    before = properties_of(found)
    body[ASSIGNMENTS] = wanted_targets(declared, found.assignments)
    name, identifier = found.found.display_name, found.found.id
    yield from update("trusted root", name, identifier, before, differences(before, body))


def root_deletion(name: str, present: Sequence[PresentProfile]) -> Iterator[Change]:
    """What deletes the trusted root of that name, if there is one."""
    found = named(name, present, tunnel=False)
    if found is not None:
        yield Change("delete", "trusted root", found.found.display_name, found.found.id)
