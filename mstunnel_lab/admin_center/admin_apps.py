"""Admin center: apps from the stores, among them the client app of the tunnel, and their assignments."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from typing_extensions import override

from mst_admin.objects.app import (
    VPN,
    VPN_ID,
    AppPlatform,
    PresentApp,
    StoreAppObject,
    app_body,
    app_object,
    assignment_bodies,
    is_store_app,
    judge_app,
    wanted_assignments,
)
from mst_admin.objects.profile_wire import is_tunnel_profile, profile_object
from mstunnel_lab.admin_center import app_form as texts
from mstunnel_lab.admin_center.changes import RefusedError, Subject, Wish, stored
from mstunnel_lab.admin_center.forms import Values, problems_of
from mstunnel_lab.admin_center.lists import Column
from mstunnel_lab.admin_center.section import Editor, Section
from mstunnel_lab.errors import CONFLICT, GraphError, not_found
from mstunnel_lab.graph.apps import APPS, add_play_app
from mstunnel_lab.state import Lab
from mstunnel_setup.answers.finding import Finding
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.tenant.wire import DeviceConfiguration
from mstunnel_setup.tenant.wire_apps import PLAY_APP, AppAssignment, MobileApp

_ALL: Final = "/admin/apps"
_WHAT: Final = "app"
_CHOICE: Final = "Microsoft Tunnel uses Microsoft Defender for Endpoint as its client app."
_SEVERAL: Final = (
    "The app has several assignments with one intent, which this form cannot show. Use mst-admin."
)


@dataclass(frozen=True)
class _Editor(Editor):
    """The form of an app: a new one for a platform, or one that is there."""

    platform: AppPlatform
    present: PresentApp | None = None

    @property
    def declared(self) -> StoreAppObject | None:
        """The app that is there, as it would be written."""
        return app_object(self.present) if self.present else None

    @property
    @override
    def subject(self) -> Subject:
        names = [item.display_name for item in _profiles(self.lab)]
        groups = texts.groups(self.platform, names, is_new=self.present is None)
        begin = texts.shown(self.platform, self.declared) if self.declared else texts.new(self.platform)
        found = self.present.found if self.present else None
        return Subject(_WHAT, _ALL, groups, begin, found, f"new/{self.platform}", field_of=texts.FIELD_OF)

    @property
    @override
    def facts(self) -> Sequence[tuple[str, str]]:
        identifier = self.present.found.identifier if self.present else ""
        return [("Type", texts.KINDS[self.platform]), ("Package or bundle ID", identifier)]

    @property
    @override
    def advice(self) -> tuple[Finding, ...]:
        return judge_app(self.declared) if self.declared else ()

    @override
    def judged(self, values: Values) -> Wish:
        wish = texts.declared(self.platform, values, self.declared)
        findings = judge_app(wish, [profile_object(item, ()) for item in _profiles(self.lab)])
        if problems := problems_of(findings):
            raise RefusedError(problems)
        kept = wanted_assignments(wish, self.present) if self.present else [*assignment_bodies(wish)]
        body: JsonObject = app_body(wish) if wish.is_ios else {"packageId": wish.id}
        return Wish(body, [self._assignment(item) for item in kept], findings)

    def _assignment(self, item: JsonObject) -> JsonObject:
        """An assignment with the settings of the store, and the id of the VPN profile that it names."""
        settings = dict(as_object(item["settings"]))
        if (name := settings.pop(VPN, None)) is not None:
            named = (found.id for found in _profiles(self.lab) if found.display_name == name)
            settings[VPN_ID] = next(named, None)
        store = "#microsoft.graph.iosStoreApp" if self.platform is AppPlatform.IOS else PLAY_APP
        return {**item, "settings": {"@odata.type": f"{store}AssignmentSettings", **settings}}

    @override
    async def answer(self, request: Request) -> Response:
        if self.declared and not texts.can_show(self.declared):
            raise GraphError(CONFLICT, "Conflict", _SEVERAL)
        return await super().answer(request)

    @override
    def store(self, wish: Wish) -> MobileApp:
        """Create or change the app; one of managed Google Play is approved, and has nothing else to write."""
        if self.platform is AppPlatform.IOS:
            return stored(self.lab, APPS, wish, self.present.found if self.present else None)
        with self.lab.store.transaction():
            kept = add_play_app(self.lab, str(wish.body["packageId"]))
            APPS.assign_to(self.lab, kept.id, wish.assignments)
        return kept


def _profiles(lab: Lab) -> Iterator[DeviceConfiguration]:
    return (item for item in lab.store.each(DeviceConfiguration) if is_tunnel_profile(item))


def _found(request: Request, lab: Lab) -> PresentApp:
    found = lab.required(MobileApp, request.path_params["id"])
    if not is_store_app(found):
        raise not_found("mobileApp", found.id)
    names = {item.id: item.display_name for item in _profiles(lab)}
    return PresentApp(found, lab.store.each(AppAssignment, parent=found.id), names)


def _editor(request: Request, lab: Lab) -> _Editor:
    found = _found(request, lab)
    return _Editor(lab, _platform(found.found), found)


def _platform(found: MobileApp) -> AppPlatform:
    return AppPlatform.ANDROID if found.odata_type == PLAY_APP else AppPlatform.IOS


_COLUMNS: Final = (
    Column[MobileApp]("name", "Name", lambda item: item.display_name),
    Column[MobileApp]("type", "Type", lambda item: texts.KINDS[_platform(item)], "word"),
    Column[MobileApp]("id", "Package or bundle ID", lambda item: item.identifier),
    Column[MobileApp]("publisher", "Publisher", lambda item: item.publisher or ""),
)


SECTION: Final = Section(
    tab="apps",
    title="All apps",
    what=_WHAT,
    kinds=texts.KINDS,
    label="App type",
    text=_CHOICE,
    columns=_COLUMNS,
    each=lambda lab: [item for item in lab.store.each(MobileApp) if is_store_app(item)],
    new=lambda lab, kind: _Editor(lab, AppPlatform(kind)),
    present=_editor,
    remove=lambda request, lab: APPS.remove(lab, _found(request, lab).found),
)
