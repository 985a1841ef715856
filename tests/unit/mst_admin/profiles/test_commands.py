"""`mst-admin profile` and `proxy-exclusions` against a real lab tenant."""

import base64
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.tenant.graph_admin import PROFILES
from tests.unit.mst_admin.labs import GROUP, Answer, MstAdmin, object_file, root_file

ANDROID = """\
version: 1
platform: android-work-profile
name: Tunnel for Android
connection_name: Contoso
site: Berlin
always_on: true
proxy: {address: proxy.contoso.com, port: 3128}
proxy_exclusions: ["*.contoso.com"]
custom_settings: {defendertoggle: 0}
groups: [11111111-2222-3333-4444-555555555555]
"""
IOS = (
    ANDROID.split("always_on", maxsplit=1)[0].replace("android-work-profile", "ios").replace("Android", "iOS")
)


def test_android_profile_is_created_assigned_and_linted(admin: MstAdmin, tmp_path: Path) -> None:
    file = object_file(tmp_path, ANDROID)
    assert admin("profile", "lint", file).codes() == ["proxy-needs-android-10"]
    created = admin("profile", "create", file)
    assert (created.code, created.status) == (0, "changed"), created.message
    shown = admin("profile", "show", "Tunnel for Android")
    profile = shown.data["object"]
    assert profile["servers"][0]["address"] == "gw.lab.example:443"
    assert profile["connectionType"] == "microsoftProtect"
    assert [item["target"]["groupId"] for item in shown.data["assignments"]] == [GROUP]
    linted = admin("profile", "lint", "Tunnel for Android")
    assert (linted.code, linted.codes()) == (0, ["proxy-needs-android-10"])
    assert admin("profile", "create", file).codes("errors") == ["name-taken"]
    missing = admin("profile", "lint", file.replace("object", "objec"))
    assert missing.codes("errors") == ["profile-unreadable"]
    assert [item["id"] for item in admin("profile", "list").data["objects"]] == [profile["id"]]


@pytest.mark.parametrize("word", ["android-dedicated", "Dedicated"])
def test_dedicated_devices_are_refused_with_the_reason(admin: MstAdmin, tmp_path: Path, word: str) -> None:
    file = object_file(tmp_path, ANDROID.replace("android-work-profile", word))
    for command in ("lint", "create"):
        refused = admin("profile", command, file)
        assert refused.code != 0
        assert f"`platform` cannot be {word}: dedicated devices have no user" in refused.message
        assert "fully managed" in refused.message


def test_lint_reports_a_changed_site_address(admin: MstAdmin) -> None:
    assert admin("config", "update", "Main", "--port", "4443").status == "changed"
    linted = admin("profile", "lint", "Tunnel for Android")
    assert (linted.code, linted.codes("errors")) == (ExitCode.USAGE, ["server-address-differs"])
    assert "gw.lab.example:4443" in linted.message
    assert admin("config", "update", "Main", "--port", "443").status == "changed"


def test_an_ios_profile_brings_its_trusted_root(admin: MstAdmin, tmp_path: Path) -> None:
    rules = "on_demand_rules: [{action: connect}]\ncustom_settings: {AutoOnboard: true}\n"
    text = f"{IOS}{rules}groups: [{GROUP}]\ntrusted_root: {root_file(tmp_path)}\n"
    created = admin.done("profile", "create", object_file(tmp_path, text))
    assert [change[:2] for change in created.changes] == [("create", "trusted root"), ("create", "profile")]
    root = admin("profile", "show", created.data["trusted_root"]).data
    assert root["object"]["@odata.type"] == "#microsoft.graph.iosTrustedRootCertificate"
    assert root["assignments"][0]["target"]["groupId"] == GROUP


def test_a_file_is_the_whole_profile_when_it_is_updated(admin: MstAdmin, tmp_path: Path) -> None:
    text = f"{IOS}on_demand_rules: [{{action: connect}}]\n"
    unknown = admin("profile", "update", object_file(tmp_path, text.replace("iOS", "none")))
    assert unknown.codes("errors") == ["profile-unknown"]
    updated = admin.done("profile", "update", object_file(tmp_path, text))
    assert [change[:2] for change in updated.changes] == [("delete", "trusted root"), ("update", "profile")]
    assert updated.written[1][1] == {"customData", "assignments"}
    assert admin("profile", "update", object_file(tmp_path, text)).status == "unchanged"
    android = IOS.replace("platform: ios", "platform: android-device-owner")
    other = admin("profile", "update", object_file(tmp_path, android))
    assert other.codes("errors") == ["profile-platform-fixed"], other.message


def test_profile_and_root_are_deleted_after_confirmation(admin: MstAdmin, tmp_path: Path) -> None:
    text = f"{IOS.replace('iOS', 'one day')}trusted_root: {root_file(tmp_path)}\n"
    assert admin("profile", "create", object_file(tmp_path, text)).code == 0
    assert admin("profile", "delete", "Tunnel for one day").codes("errors") == ["not-confirmed"]
    deleted = admin("profile", "delete", "Tunnel for one day", "--yes")
    assert deleted.names == ["Tunnel for one day", "Tunnel for one day (trusted root)"]
    assert admin("profile", "show", "Tunnel for one day").codes("errors") == ["name-unknown"]


def test_only_a_profile_for_the_tunnel_is_deleted_or_linted(admin: MstAdmin, tmp_path: Path) -> None:
    root = root_file(tmp_path)
    text = f"{IOS.replace('iOS', 'two days')}trusted_root: {root}\n"
    made = admin("profile", "create", object_file(tmp_path, text)).data
    other = admin.tenant.graph().create(
        PROFILES,
        {
            "@odata.type": "#microsoft.graph.iosTrustedRootCertificate",
            "displayName": "Tunnel for two days",
            "trustedRootCertificate": base64.b64encode(root.read_bytes()).decode(),
            "certFileName": "other.cer",
        },
    )
    refused = admin("profile", "delete", other.id, "--yes")
    assert refused.codes("errors") == ["name-unknown"]
    for identifier in (made["id"], made["trusted_root"], other.id):
        assert admin("profile", "show", identifier).code == 0
    linted = admin("profile", "lint", made["trusted_root"])
    assert (linted.code, linted.codes("errors")) == (ExitCode.TENANT, ["name-unknown"])
    assert admin("profile", "delete", made["id"], "--yes").status == "changed"


def test_trusted_root_must_be_an_authority(admin: MstAdmin, tmp_path: Path) -> None:
    text = f"{IOS.replace('Tunnel', 'Other')}trusted_root: {root_file(tmp_path, authority=False)}\n"
    refused = admin("profile", "create", object_file(tmp_path, text))
    assert (refused.code, refused.codes("errors")) == (ExitCode.CERTIFICATE, ["trusted-root-unsuitable"])


def test_mistakes_have_line_and_column(admin: MstAdmin, tmp_path: Path) -> None:
    refused = admin(
        "profile", "create", object_file(tmp_path, ANDROID.replace("always_on: true", "always_om: true"))
    )
    assert refused.codes("errors") == ["profile-invalid"]
    assert "object.yaml:6:1: unknown key `always_om`; did you mean `always_on`?" in refused.message
    bad = admin("profile", "lint", object_file(tmp_path, ANDROID.replace("defendertoggle: 0", "Vpn: 1")))
    assert (bad.code, bad.codes("errors")) == (ExitCode.USAGE, ["custom-setting-spelling"])
    assert "object.yaml:9:18: custom_settings.Vpn" in bad.message


def test_lint_and_create_refuse_the_same_with_the_same_exit_code(admin: MstAdmin, tmp_path: Path) -> None:
    one_off = ANDROID.replace("defendertoggle: 0", "vpn: 1, antiphishing: 0")
    file = object_file(tmp_path, one_off)
    linted, created = admin("profile", "lint", file), admin("profile", "create", file)
    assert linted.codes("errors") == created.codes("errors") == ["work-profile-switches"]
    assert linted.code == created.code == ExitCode.USAGE


def test_lint_warnings_are_not_errors(admin: MstAdmin, tmp_path: Path) -> None:
    shown = admin.text("profile", "lint", object_file(tmp_path, ANDROID))
    assert "No error found" in shown
    assert "No problem found" not in shown


@pytest.mark.parametrize("verb", ["create", "update"])
def test_every_mistake_of_a_file_is_a_separate_error(admin: MstAdmin, tmp_path: Path, verb: str) -> None:
    keys = ANDROID.replace("always_on", "always_om").replace("proxy:", "proxi:")
    refused = admin("profile", verb, object_file(tmp_path, keys))
    assert refused.codes("errors") == ["profile-invalid", "profile-invalid"]
    values = ANDROID.replace("3128", "0").replace("*.contoso.com", "contoso.*")
    refused = admin("profile", verb, object_file(tmp_path, values))
    assert refused.codes("errors") == ["proxy-port-invalid", "exclusion-malformed"]
    begun = [line.partition(": ")[0].rpartition("object.yaml")[2] for line in refused.message.splitlines()]
    assert begun == [":7:8", ":8:19"]
    assert refused.code == ExitCode.USAGE


def test_exclusions_go_out_and_in_as_csv(admin: MstAdmin, tmp_path: Path) -> None:
    file = tmp_path / "list.csv"
    exported = admin("proxy-exclusions", "export", "--profile", "Tunnel for Android", str(file))
    assert (exported.code, file.read_text()) == (0, "*.contoso.com\n"), exported.message
    imported = ("proxy-exclusions", "import", str(file), "--profile", "Tunnel for Android")
    assert admin(*imported).status == "unchanged"
    file.write_text("*.contoso.com\n10.1.1.1\n")
    assert admin(*imported).status == "changed"
    assert admin(*imported).status == "unchanged"
    shown = admin.text("proxy-exclusions", "export", "--profile", "Tunnel for Android")
    assert shown == "*.contoso.com\n10.1.1.1\n"
    file.write_text("contoso.*\n")
    assert admin(*imported).codes("errors") == ["exclusion-malformed"]
    assert admin("proxy-exclusions", "check", str(file), "ok.contoso.com").code == ExitCode.USAGE
    file.write_text('"' + "a" * 200_000, encoding="utf-8")
    assert admin("proxy-exclusions", "check", str(file)).codes("errors") == ["exclusions-unreadable"]
    refused = admin("proxy-exclusions", "export", "--profile", "Tunnel for iOS")
    assert refused.codes("errors") == ["exclusions-not-supported"]


def test_entries_are_added_and_removed_one_by_one(admin: MstAdmin, tmp_path: Path) -> None:
    name = "Tunnel with a list"
    admin.done("profile", "create", object_file(tmp_path, ANDROID.replace("Tunnel for Android", name)))

    def changed(verb: str, entry: str) -> Answer:
        return admin("proxy-exclusions", verb, entry, "--profile", name)

    added = changed("add", "mail.contoso.com")
    assert (added.status, added.data["after"]) == ("changed", ["*.contoso.com", "mail.contoso.com"])
    assert changed("add", "Mail.contoso.com").status == "unchanged"
    assert changed("add", "mail.*").codes("errors") == ["exclusion-malformed"]
    removed = changed("remove", "*.Contoso.com")
    assert (removed.status, removed.data["after"]) == ("changed", ["mail.contoso.com"])
    missing = changed("remove", "*.contoso.com")
    assert (missing.code, missing.codes("errors")) == (ExitCode.TENANT, ["exclusion-missing"])
    assert admin.text("proxy-exclusions", "export", "--profile", name) == "mail.contoso.com\n"
    admin.done("profile", "delete", name, "--yes")


def test_title_of_a_key_is_written_as_the_key(admin: MstAdmin, tmp_path: Path) -> None:
    text = ANDROID.replace("Tunnel for Android", "Tunnel with VPN")
    file = object_file(tmp_path, text.replace("defendertoggle: 0", "VPN: 0, antiphishing: 0"))
    created = admin.done("profile", "create", file)
    assert "key-written-vpn" in created.codes()
    settings = admin.tenant.graph().find(PROFILES, created.data["id"])
    assert settings is not None
    entries = {item["key"]: item["value"] for item in (settings.model_extra or {})["customData"]}
    assert (entries["vpn"], "VPN" in entries) == ("0", False)
    assert admin("profile", "update", file).status == "unchanged"
    admin.done("profile", "delete", "Tunnel with VPN", "--yes")


@pytest.mark.parametrize("arguments", [("schema",), ("profile", "schema"), ("app-config", "schema")])
def test_editors_get_a_schema(admin: MstAdmin, arguments: tuple[str, ...]) -> None:
    schema = admin(*arguments).data
    assert schema["$schema"].endswith("2020-12/schema")
    assert schema["additionalProperties"] is False
    assert "version" in schema["required"]
