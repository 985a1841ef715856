"""Apps of managed Google Play arrive by synchronisation; ids are checked before use in a path."""

import pytest

from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph_admin import MANAGED_APP_CONFIGURATIONS, MOBILE_APPS, AdminGraph
from tests.refusals import refused
from tests.unit.clocks import FakeClock
from tests.unit.tenant.fakes import FakeHttp, Reply, fixed_token, response

DONE, NONE = response(204), response(200, {"value": []})
THERE = response(
    200,
    {
        "value": [
            {"@odata.type": "#microsoft.graph.iosStoreApp", "id": "ios", "bundleId": "com.microsoft.scmx"},
            {
                "@odata.type": "#microsoft.graph.androidManagedStoreApp",
                "id": "android",
                "packageId": "com.microsoft.scmx",
            },
        ]
    },
)


def over(*replies: Reply) -> tuple[FakeHttp, FakeClock, AdminGraph]:
    http, clock = FakeHttp(list(replies)), FakeClock()
    return http, clock, AdminGraph(http, cloud("public"), fixed_token(), clock)


def test_google_play_app_is_approved_and_synchronised() -> None:
    http, clock, graph = over(DONE, DONE, NONE, THERE)
    assert graph.add_play_app("com.microsoft.scmx") == "android"
    assert [call.url.rpartition("/")[2].partition("?")[0] for call in http.calls] == [
        "approveApps",
        "syncApps",
        "mobileApps",
        "mobileApps",
    ]
    assert http.calls[0].options["json"]["packageIds"] == ["app:com.microsoft.scmx"]
    assert clock.monotonic() > 0


def test_missing_google_play_app_is_reported() -> None:
    _, clock, graph = over(DONE, DONE, NONE)
    begin = clock.monotonic()
    with refused(TenantError, "play-app-missing"):
        graph.add_play_app("com.microsoft.scmx")
    assert 100 < clock.monotonic() - begin <= 120


@pytest.mark.parametrize("identifier", ["../x", "A_", "1", "AB_00000000-0000-4000-8000-000000000000"])
def test_invalid_ids_are_not_used_in_paths(identifier: str) -> None:
    http, _, graph = over(NONE)
    with pytest.raises(TenantError) as caught:
        graph.app_assignments(MOBILE_APPS, identifier)
    assert (caught.value.code, http.calls) == ("id-malformed", [])


def test_ids_of_policies_for_managed_apps_begin_with_a_letter() -> None:
    http, _, graph = over(NONE)
    graph.targeted_apps(MANAGED_APP_CONFIGURATIONS, "A_00000000-0000-4000-8000-000000000000")
    assert http.calls[0].url.endswith("/A_00000000-0000-4000-8000-000000000000/apps")
