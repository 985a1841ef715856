"""App configurations compared with the tenant's."""

from collections.abc import Collection, Iterator, Sequence

from mst_admin.change import ASSIGNMENTS, TYPE, Body, Change, differences, update
from mst_admin.errors import NAME_AMBIGUOUS
from mst_admin.objects.app import AppPlatform, app_ids
from mst_admin.objects.app_configuration import (
    ENCODED,
    LISTS,
    PACKAGES,
    AppConfigurationObject,
    PresentAppConfiguration,
    app_configuration_body,
    app_configuration_object,
    others_of,
)
from mst_admin.objects.parts import target_of, targets, wanted_targets, without_empty
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.tenant.wire_apps import MobileApp


def app_configuration_changes(
    declared: AppConfigurationObject, present: Sequence[PresentAppConfiguration]
) -> Iterator[Change]:
    """What makes the tenant's app configuration as declared; what a file cannot say of it stays.

    Raises TenantError: `name-ambiguous`, `app-configuration-fixed`.
    """
    found = named(declared.name, present)
    if found is None:
        body = {**app_configuration_body(declared), ASSIGNMENTS: list(targets(declared))}
        yield Change("create", "app configuration", declared.name, after=without_empty(body))
        return
    if (found.channel, found.is_ios) != (declared.channel, declared.is_ios):
        raise TenantError(
            "app-configuration-fixed",
            "the app configuration {name} in the tenant is for {channel} on {platform}",
            hint=(
                "Use another name: channel and operating system of an app configuration cannot be changed."
            ),
            name=declared.name,
            channel=found.channel,
            platform=app_configuration_object(found).platform,
        )
    before = _before(found)
    body = {
        **app_configuration_body(declared, others_of(found)),
        ASSIGNMENTS: wanted_targets(declared, found.assignments),
    }
    differs = differences(before, body)
    # Unlike elsewhere, in settings false and 0 are not the same as nothing.
    differs |= {name: body[name] for name in LISTS if name in body and body[name] != before[name]}
    yield from update("app configuration", found.name, found.id, before, differs, also=(PACKAGES,))


def app_configuration_deletion(present: PresentAppConfiguration) -> Change:
    """What deletes an app configuration."""
    kind = app_configuration_body(present.declared)[TYPE]
    return Change("delete", "app configuration", present.name, present.id, before={TYPE: kind})


def require_app(
    declared: AppConfigurationObject, apps: Collection[MobileApp], new: Collection[str] = ()
) -> None:
    """Raise TenantError `app-missing` unless the tenant has the app that enrolled devices configure.

    `new` are the keys of apps that will be there.
    """
    if not declared.on_devices:
        return
    for name in declared.apps:
        key = f"{AppPlatform.IOS if declared.is_ios else AppPlatform.ANDROID}:{name}".casefold()
        if key not in new and not app_ids(apps, name, is_ios=declared.is_ios):
            raise TenantError(
                "app-missing",
                "the tenant has no {platform} app {app}",
                hint=(
                    "Add it with `mst-admin app create`, declare it below `apps`, or add it in the admin "
                    "center."
                ),
                platform="iOS" if declared.is_ios else "Android",
                app=name,
            )


def named(name: str, present: Sequence[PresentAppConfiguration]) -> PresentAppConfiguration | None:
    """The one app configuration of that name. Raises TenantError `name-ambiguous`."""
    found = [item for item in present if item.name.casefold() == name.casefold()]
    if len(found) > 1:
        ids = ", ".join(item.id for item in found)
        raise NAME_AMBIGUOUS(count=len(found), kind="app configuration", name=name, ids=ids)
    return found[0] if found else None


def _before(found: PresentAppConfiguration) -> Body:
    said = app_configuration_body(app_configuration_object(found), others_of(found))
    there = found.wire
    encoded = {ENCODED: there.get(ENCODED)} if ENCODED in said else {}
    return {**said, **encoded, ASSIGNMENTS: [target_of(item) for item in found.assignments]}
