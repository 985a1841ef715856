"""`mst-admin config|site|server|threshold|conditional-access` against a real lab tenant."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from mstunnel_lab import remote
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.tenant.graph import SITES
from mstunnel_setup.tenant.graph_admin import CONFIGURATIONS, configuration_reference
from mstunnel_setup.tenant.wire import DeploymentMode
from tests.unit.mst_admin.labs import READER, MstAdmin


def test_configuration_is_created_changed_and_deleted(admin: MstAdmin) -> None:
    created = admin(
        "config", "create", "New", "--network", "10.20.0.0/16", "--dns-server", "10.1.0.53",
        "--include", "10.1.0.0/16", "--port", "8443", "--session-timeout", "1800",
        "--corporate-network", "10.1.0.0/16",
    )  # fmt: skip
    assert (created.code, created.status, created.codes()) == (0, "changed", [])
    assert created.data["object"]["listenPort"] == 8443
    assert created.data["object"]["advancedSettings"] == [{"name": "session-timeout", "value": "1800"}]
    again = admin("config", "create", "new", "--network", "10.20.0.0/16")
    assert (again.code, again.codes("errors")) == (ExitCode.TENANT, ["name-taken"])
    changed = admin("config", "update", "New", "--include", "", "--dns-suffix", "corp.lab.example")
    assert changed.status == "changed"
    assert changed.data["change"]["after"] == {"defaultDomainSuffix": "corp.lab.example", "routeIncludes": []}
    assert admin("config", "update", "New", "--dns-suffix", "corp.lab.example").status == "unchanged"
    shown = admin("config", "show", "New").data["object"]
    assert (shown["routesInclude"], shown["defaultDomainSuffix"]) == ([], "corp.lab.example")
    assert admin("config", "update", shown["id"], "--name", "Newer").status == "changed"
    assert admin("config", "delete", "Newer").codes("errors") == ["not-confirmed"]
    assert admin("config", "delete", "Newer", "--yes").status == "changed"
    assert admin("config", "show", "Newer").codes("errors") == ["name-unknown"]


def test_values_are_checked_before_the_call(admin: MstAdmin) -> None:
    refused = admin(
        "config", "create", "Bad", "--network", "10.0.0.0", "--port", "0", "--include", "0.0.0.0/0",
        "--session-timeout", "0", "--advanced", "mtu", "--advanced", "idle-timeout=soon",
        "--corporate-network", "office",
    )  # fmt: skip
    assert refused.code == ExitCode.USAGE
    assert {item["code"]: item["message"].partition(" is ")[0] for item in refused.envelope["errors"]} == {
        "setting-malformed": "--advanced mtu has no value",
        "corporate-network-invalid": "--corporate-network",
        "network-invalid": "--network",
        "route-invalid": "--include",
        "port-invalid": "--port",
        "advanced-setting-invalid": "--advanced idle-timeout",
        "session-timeout-invalid": "--session-timeout",
    }
    assert all(item["hint"].count(". ") < 2 for item in refused.envelope["errors"])
    own = admin("config", "create", "Bad", "--network", "10.0.0.0/8", "--corporate-network", "office")
    assert (own.code, own.codes("errors")) == (ExitCode.USAGE, ["corporate-network-invalid"])
    names = [item["displayName"] for item in admin("config", "list").data["objects"]]
    assert names == ["Main", "Zweite: 2"]


def test_check_and_import_refuse_the_same_exclusions(admin: MstAdmin, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    file.write_text("*.contoso.com\nbad entry!\n")
    checked = admin("proxy-exclusions", "check", str(file))
    imported = admin("proxy-exclusions", "import", str(file), "--profile", "Phones")
    assert checked.code == imported.code == ExitCode.USAGE
    assert checked.codes("errors") == imported.codes("errors") == ["exclusion-malformed"]


def test_configuration_in_use_is_not_deleted(admin: MstAdmin) -> None:
    refused = admin("config", "delete", "Main", "--yes")
    assert (refused.code, refused.codes("errors")) == (ExitCode.TENANT, ["conflict"])
    assert "is used by the site 'Berlin'" in refused.message
    assert "First change or delete what uses the object" in refused.envelope["errors"][0]["hint"]


def test_site_is_created_changed_and_deleted(admin: MstAdmin) -> None:
    created = admin(
        "site", "create", "Lima", "--public-address", "203.0.113.9", "--configuration", "main",
        "--description", "Data center South",
        "--window", "22:00-04:00", "--time-zone", "America/Lima", "--manual-upgrade",
    )  # fmt: skip
    assert (created.code, created.status) == (0, "changed"), created.message
    assert set(created.codes()) == {"public-address-private", "window-offset-fixed"}
    site = created.data["object"]
    assert (site["upgradeWindowStartTime"], site["upgradeWindowUtcOffsetInMinutes"]) == ("22:00:00", -300)
    assert site["upgradeAutomatically"] is False
    moved = admin("site", "update", "Lima", "--configuration", "Zweite: 2", "--window", "")
    assert moved.data["change"]["before"]["configuration"] == "Main"
    assert admin("site", "update", "Lima", "--configuration", "zweite: 2").status == "unchanged"
    shown = admin("site", "show", "Lima").data["object"]
    assert (shown["displayName"], shown["description"]) == ("Lima", "Data center South")
    assert shown["microsoftTunnelConfiguration"]["displayName"] == "Zweite: 2"
    assert shown["upgradeWindowStartTime"] is None
    early = admin("site", "request-upgrade", "Lima", "--yes")
    assert (early.code, early.status) == (0, "unchanged")
    assert "nothing was approved" in admin.text("site", "request-upgrade", "Lima")
    remote.control(admin.tenant.directory, "PATCH", f"sites/{site['id']}", {"upgrade_available": True})
    assert admin("site", "request-upgrade", "Lima").codes("errors") == ["not-confirmed"]
    assert admin("site", "request-upgrade", "Lima", "--yes").status == "changed"
    assert admin("site", "delete", "Lima", "--yes").status == "changed"
    assert len(admin("site", "list").data["objects"]) == 2


def test_omitted_parts_of_a_maintenance_window_are_kept(admin: MstAdmin) -> None:
    where = ("--public-address", "203.0.113.9", "--configuration", "main", "--no-resolve")
    alone = admin("site", "create", "Quito", *where, "--time-zone", "America/Guayaquil")
    assert (alone.code, alone.codes("errors")) == (ExitCode.USAGE, ["window-missing"])
    admin("site", "create", "Quito", *where, "--window", "22:00-04:00", "--time-zone", "America/Guayaquil")
    other_zone = admin("site", "update", "Quito", "--time-zone", "Asia/Kolkata").data["change"]["after"]
    assert other_zone == {"upgradeWindowUtcOffsetInMinutes": 330}
    other_times = admin("site", "update", "Quito", "--window", "21:00-04:00").data["change"]["after"]
    assert other_times == {"upgradeWindowStartTime": "21:00:00"}
    assert admin("site", "update", "Quito", "--window", "").status == "changed"
    assert admin("site", "update", "Quito", "--time-zone", "UTC").codes("errors") == ["window-missing"]
    assert admin("site", "update", "Quito", "--window", "22:00").codes("errors") == ["window-unclear"]
    zoneless = admin("site", "update", "Quito", "--window", "22:00-04:00")
    assert zoneless.message == "--window needs either a time zone or an offset"
    clock = admin("site", "update", "Quito", "--window", "25:00-04:00", "--time-zone", "UTC")
    assert clock.message == "--window is “25:00”: it is not a time of day"
    assert admin("site", "delete", "Quito", "--yes").status == "changed"


def test_no_object_gets_the_name_of_another(admin: MstAdmin) -> None:
    for kind, one, other in (("config", "Main", "zweite: 2"), ("site", "Berlin", "東京")):
        refused = admin(kind, "update", one, "--name", other)
        assert (refused.code, refused.codes("errors")) == (ExitCode.TENANT, ["name-taken"])
        assert admin(kind, "update", one, "--name", "").codes("errors") == ["values-invalid"]
    assert admin("config", "update", "Main", "--name", "MAIN").status == "changed"
    assert admin("config", "update", "MAIN", "--name", "Main").status == "changed"


def test_spaces_around_a_name_are_ignored(admin: MstAdmin) -> None:
    taken = admin("config", "create", "Main ", "--network", "10.20.0.0/16")
    assert taken.codes("errors") == ["name-taken"]
    taken = admin("site", "create", " Berlin", "--public-address", "203.0.113.9", "--configuration", "Main")
    assert taken.codes("errors") == ["name-taken"]
    created = admin("config", "create", " Spaced ", "--network", "10.20.0.0/16")
    assert created.data["object"]["displayName"] == "Spaced"
    assert admin("config", "delete", "Spaced", "--yes").status == "changed"


def test_a_site_needs_a_configuration_that_exists(admin: MstAdmin) -> None:
    refused = admin("site", "create", "X", "--public-address", "192.0.2.9", "--configuration", "Nowhere")
    assert refused.codes("errors") == ["name-unknown"]
    missing = admin("site", "create", "X", "--public-address", "192.0.2.9")
    assert (missing.code, missing.message) == (ExitCode.USAGE, "`--configuration` is missing: add it")


def test_values_of_a_site_are_listed_one_by_one(admin: MstAdmin) -> None:
    refused = admin(
        "site", "create", "X", "--public-address", "-", "--configuration", "Main", "--probe-url", "ftp://x",
        "--window", "22:00-22:10", "--time-zone", "Europe/Berlim",
    )  # fmt: skip
    assert (refused.code, len(refused.envelope["errors"])) == (ExitCode.USAGE, 4)
    begun = sorted(item["message"].split()[0] for item in refused.envelope["errors"])
    assert begun == ["--probe-url", "--public-address", "--time-zone", "--window"]
    assert "_" not in refused.message


def test_servers_are_made_by_installing(admin: MstAdmin) -> None:
    assert admin("server", "list", "--site", "Berlin").data == {"objects": []}
    assert admin("server", "create").codes("errors") == ["server-not-installed"]
    unknown = admin("server", "delete", "gw1", "--site", "Berlin", "--yes")
    assert unknown.codes("errors") == ["name-unknown"]


def test_a_server_gets_a_name_that_no_other_of_its_site_has(admin: MstAdmin) -> None:
    site = admin("site", "show", "Berlin").data["object"]["id"]
    for name in ("gw1", "gw2"):
        admin.tenant.graph().create_server(site, name, DeploymentMode.STANDALONE_ROOTFUL)
    update = ("server", "update", "gw1", "--site", "Berlin", "--name")
    for name in ("", "x" * 201):
        assert admin(*update, name).codes("errors") == ["values-invalid"]
    assert admin(*update, "GW2").codes("errors") == ["name-taken"]
    assert admin(*update, "gw1").status == "unchanged"
    assert admin(*update, "gw3").data["change"]["after"] == {"displayName": "gw3"}
    for name in ("gw2", "gw3"):
        assert admin("server", "delete", name, "--site", "Berlin", "--yes").status == "changed"


def test_a_threshold_that_is_created_can_be_changed_and_deleted(admin: MstAdmin) -> None:
    values = ("--healthy", "60", "--unhealthy", "80")
    refused = admin("threshold", "create", "cpu/usage", *values)
    assert (refused.code, refused.codes("errors")) == (ExitCode.USAGE, ["values-invalid"])
    assert "`metric` must be the name of a metric" in refused.message
    assert admin("threshold", "create", "cpu-load", *values).status == "changed"
    assert admin("threshold", "update", "cpu-load", "--unhealthy", "90").status == "changed"
    assert admin("threshold", "delete", "cpu-load", "--yes").status == "changed"


def test_thresholds_change_and_are_restored(admin: MstAdmin) -> None:
    assert admin("threshold", "update", "cpuUsage", "--unhealthy", "90").status == "changed"
    assert admin("threshold", "update", "cpuUsage", "--unhealthy", "90").status == "unchanged"
    assert admin("threshold", "show", "cpuUsage").data["object"]["unhealthyThreshold"] == 90
    assert admin("threshold", "update", "cpuUsage", "--healthy", "90").codes("errors") == ["thresholds-equal"]
    assert admin("threshold", "update", "cpuUsage", "--default").status == "changed"
    assert admin("threshold", "delete", "latency", "--yes").status == "changed"
    created = admin("threshold", "create", "latency", "--healthy", "10", "--unhealthy", "20")
    assert (created.status, created.codes()) == ("changed", [])
    again = admin("threshold", "create", "Latency", "--healthy", "10", "--unhealthy", "20")
    assert (again.code, again.codes("errors")) == (ExitCode.TENANT, ["name-taken"])
    assert "`mst-admin threshold update`" in again.envelope["errors"][0]["hint"]
    for metric in ("temperature", "foo"):
        strange = admin("threshold", "create", metric, "--healthy", "60", "--unhealthy", "80")
        assert (strange.code, strange.codes("errors")) == (ExitCode.USAGE, ["metric-not-known"])
    for values in (("cpuUsage", "90", "60"), ("diskSpace", "2", "9")):
        reversed_ = admin("threshold", "update", values[0], "--healthy", values[1], "--unhealthy", values[2])
        assert (reversed_.code, reversed_.codes("errors")) == (ExitCode.USAGE, ["thresholds-reversed"])
    unknown = admin("threshold", "show", "temperature")
    assert "cpuUsage" in unknown.envelope["errors"][0]["hint"]


def test_the_cloud_app_is_added_once(admin: MstAdmin) -> None:
    assert admin("conditional-access", "status").data["provisioned"] is False
    assert admin("conditional-access", "provision").status == "changed"
    assert admin("conditional-access", "provision").status == "unchanged"
    assert admin("conditional-access", "status").data["provisioned"] is True


def test_a_read_only_user_gets_the_missing_permission(admin: MstAdmin) -> None:
    assert admin("config", "list", client=READER).code == 0
    refused = admin("config", "update", "Main", "--port", "444", client=READER)
    assert (refused.code, refused.codes("errors")) == (ExitCode.SIGN_IN, ["permission-missing"])
    assert "DeviceManagementConfiguration.ReadWrite.All" in refused.envelope["errors"][0]["hint"]


def test_text_output_has_tables_and_plain_words(admin: MstAdmin) -> None:
    lines = admin.text("site", "list").splitlines()
    assert lines[0].split() == ["NAME", "PUBLIC", "ADDRESS", "ID"]
    assert "東京" in lines[2]
    assert "session_timeout          7200" in admin.text("config", "show", "Main")
    assert "3600 (default)" in admin.text("config", "show", "Zweite: 2")


@pytest.fixture
def twins(admin: MstAdmin) -> Iterator[dict[str, tuple[str, str]]]:
    """Create two sites of one name and two server configurations of one name; return their ids."""
    graph = admin.tenant.graph()
    (berlin,) = graph.objects(SITES, "Berlin")
    (main,) = graph.objects(CONFIGURATIONS, "Main")
    body = {"displayName": "Berlin", "publicAddress": "b.lab.example", **configuration_reference(main.id)}
    site = graph.create(SITES, body)
    configuration = graph.create(
        CONFIGURATIONS, {"displayName": "Main", "network": "10.9.0.0/16", "listenPort": 443}
    )
    yield {"site": (berlin.id, site.id), "config": (main.id, configuration.id)}
    graph.delete(SITES, site.id)
    graph.delete(CONFIGURATIONS, configuration.id)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("site", ("site", "show", "Berlin")),
        ("site", ("site", "update", "Berlin", "--auto-upgrade")),
        ("config", ("config", "show", "Main")),
        ("config", ("config", "update", "Main", "--session-timeout", "3600")),
        ("site", ("server", "list", "--site", "Berlin")),
    ],
)
def test_a_name_that_two_objects_have_is_refused_with_both_ids(
    admin: MstAdmin, twins: dict[str, tuple[str, str]], kind: str, words: tuple[str, ...]
) -> None:
    found = admin(*words)
    assert found.codes("errors") == ["name-ambiguous"]
    shown = str(found.envelope["errors"])
    assert [identifier in shown for identifier in twins[kind]] == [True, True]
