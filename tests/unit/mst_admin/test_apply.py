"""Declarations with lab tenants: plan, apply, apply again, export into an empty tenant."""

import sys
from pathlib import Path

import pexpect
import pytest

from mst_admin.apply import shared_names
from mst_admin.kinds import tenant as tenants
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.tenant.wire import TunnelSite
from tests.unit.mst_admin.labs import READER, MstAdmin, Tenant, declare, root_file

DECLARED = """\
version: 1
corporate_networks: [10.0.0.0/8]
configurations:
  - name: Main
    network: 172.30.0.0/16
    route_includes:
      - 10.99.0.0/24
  - name: Second
    network: 169.254.0.0/16
    session_timeout: 1800
sites:
  - name: Oslo
    public_address: 192.0.2.8
    configuration: Second
    upgrade_window: {time_zone: UTC, start: "01:00", end: "03:00"}
thresholds:
  - {metric: latency, healthy: 15, unhealthy: 30}
"""


PROFILES = """\
version: 1
profiles:
  - platform: android-work-profile
    name: Android
    connection_name: Contoso
    site: Berlin
    always_on: true
    apps: [{id: com.microsoft.emmx, name: Edge, publisher: Microsoft}]
    proxy: {address: proxy.contoso.com, port: 3128}
    proxy_exclusions: ["*.contoso.com"]
    custom_settings: {defendertoggle: 0}
    groups: [11111111-2222-3333-4444-555555555555]
  - platform: ios
    name: iPhone
    connection_name: Contoso
    site: Oslo
    on_demand_rules: [{action: connect}]
    custom_settings: {AutoOnboard: true}
    excluded_groups: [22222222-2222-3333-4444-555555555555]
    groups: [11111111-2222-3333-4444-555555555555]
    trusted_root: ROOT
"""


SHOWN = """\
version: 1
profiles:
  - platform: android-work-profile
    name: Shown
    connection_name: Contoso
    site: Berlin
    apps: [{id: com.microsoft.emmx, name: Edge, publisher: Microsoft}]
    proxy: {address: proxy.contoso.com, port: 3128}
    groups: [11111111-2222-3333-4444-555555555555]
"""


def test_a_profile_is_shown_in_the_words_of_its_file(admin: MstAdmin, tmp_path: Path) -> None:
    assert admin("apply", declare(tmp_path, SHOWN), "--no-resolve").code == 0
    lines = dict(line.split(maxsplit=1) for line in admin.text("profile", "show", "Shown").splitlines())
    assert lines["site"] == "Berlin"
    assert lines["proxy"] == "address: proxy.contoso.com, port: 3128"
    assert lines["platform"] == "android-work-profile"
    assert not {"@odata.type", "proxyServer", "microsoftTunnelSiteId", "assignments"} & lines.keys()
    assert admin("profile", "delete", "Shown", "--yes").code == 0


def test_an_export_reports_what_no_declaration_can_distinguish() -> None:
    sites = [TunnelSite(display_name=name) for name in ("Berlin", "Oslo", "BERLIN")]
    (found,) = shared_names(tenants.TenantObjects(sites=tuple(sites)))
    assert (found.code, found.message) == ("name-ambiguous", "2 objects of the kind site are called Berlin")


def test_a_plan_is_shown_first_and_then_done(admin: MstAdmin, tmp_path: Path) -> None:
    directory = declare(tmp_path, DECLARED)
    planned = admin("diff", directory, "--exit-code")
    assert planned.code == ExitCode.CHANGES_PENDING
    assert planned.changes == [
        ("update", "configuration", "Main"),
        ("create", "configuration", "Second"),
        ("create", "site", "Oslo"),
        ("update", "threshold", "latency"),
    ]
    main = planned.data["changes"][0]
    assert set(main["after"]) >= {"network", "routeExcludes", "dnsServers", "advancedSettings"}
    assert main["before"]["network"] == "169.254.0.0/16"
    assert planned.codes() == ["public-address-private"]
    lines = admin.text("diff", directory, "--no-resolve").splitlines()
    assert lines[0] == "~ configuration Main"
    assert "    network: 169.254.0.0/16 -> 172.30.0.0/16" in lines
    keys = {line.strip().partition(": ")[0] for line in lines if line.startswith("    ")}
    assert {"name", "dns_servers", "route_excludes", "advanced_settings", "healthy"} <= keys
    assert [key for key in keys if key != key.lower()] == [], "as in the files, and not as in Graph"
    assert lines[-1] == "4 changes to make."
    done = admin("apply", directory)
    assert (done.status, done.data["changes"]) == ("changed", planned.data["changes"])
    assert admin("apply", directory).changes == []


def test_a_person_sees_the_plan_and_is_asked(admin: MstAdmin, tenant: Tenant, tmp_path: Path) -> None:
    text = "version: 1\nconfigurations:\n  - {name: Asked, network: 169.254.0.0/16}\n"
    program = "import sys; from mst_admin.cli import main; sys.exit(main())"
    command = ["-c", program, "apply", declare(tmp_path, text), "--answers", str(tenant.answers())]
    for answer, code in (("no", ExitCode.USAGE), ("yes", ExitCode.DONE)):
        assert admin("config", "show", "Asked").codes("errors") == ["name-unknown"]
        with pexpect.spawn(sys.executable, command, timeout=120, encoding="utf-8") as child:
            child.expect_exact("+ configuration Asked")
            child.expect_exact("1 change to make.")
            child.expect_exact("Apply these changes? [y/N]: ")
            child.sendline(answer)
            child.expect(pexpect.EOF)
        assert child.exitstatus == code
    assert admin("config", "delete", "Asked", "--yes").status == "changed"


PRUNE = ("--prune", "configurations", "--prune", "sites")


@pytest.mark.parametrize("sites", ["sites: []\n", "sites:\n", ""])
def test_a_kind_is_only_deleted_by_its_name(admin: MstAdmin, tmp_path: Path, sites: str) -> None:
    """An empty or missing list does not delete all sites."""
    directory = declare(tmp_path, f"version: 1\n{sites}")
    assert admin("diff", directory).changes == []
    assert admin("diff", directory, "--prune", "profiles").changes == []
    everything = admin("diff", directory, "--prune", "sites").changes
    assert {(verb, kind) for verb, kind, _ in everything} == {("delete", "site")}
    count = len(everything)
    assert (
        admin.text("diff", directory, "--prune", "sites")
        .splitlines()[-1]
        .endswith(f"to make. Deletions: {count} (site: {count}).")
    )
    code, _, errors = admin.run("diff", directory, "--prune")
    assert (code, "--prune" in errors) == (ExitCode.USAGE, True)


def test_only_prune_deletes_and_only_after_confirmation(admin: MstAdmin, tmp_path: Path) -> None:
    directory = declare(tmp_path, DECLARED)
    admin("apply", directory)
    assert admin("apply", directory, *PRUNE).codes("errors") == ["not-confirmed"]
    pruned = admin("apply", directory, *PRUNE, "--yes")
    kinds = ("site", "site", "configuration")
    assert [change[:2] for change in pruned.changes] == [("delete", kind) for kind in kinds]
    assert [item["displayName"] for item in admin("site", "list").data["objects"]] == ["Oslo"]


def test_prune_keeps_configuration_used_by_a_kept_site(admin: MstAdmin, tmp_path: Path) -> None:
    unused = "  - name: Unused\n    network: 172.29.0.0/16\nsites:"
    assert admin("apply", declare(tmp_path, DECLARED.replace("sites:", unused))).code == 0
    pruned = admin("diff", declare(tmp_path, "version: 1\n"), "--prune", "configurations")
    assert {*pruned.names} & {"Second", "Unused"} == {"Unused"}
    both = admin("diff", declare(tmp_path, "version: 1\n"), *PRUNE)
    assert {"Oslo", "Second", "Unused"} <= {*both.names}


def test_profiles_follow_the_site_that_is_made_with_them(admin: MstAdmin, tmp_path: Path) -> None:
    directory = declare(tmp_path, DECLARED)
    profiles = PROFILES.replace("Berlin", "Oslo").replace("ROOT", str(root_file(tmp_path)))
    profiles = profiles.replace("name: Android", "name: Phones").replace("name: iPhone", "name: Tablets")
    (tmp_path / "declared" / "profiles.yaml").write_text(profiles)
    applied = admin.done("apply", directory, "--no-resolve")
    kinds = ("profile", "trusted root", "profile")
    assert [change[:2] for change in applied.changes[-3:]] == [("create", kind) for kind in kinds]
    assert admin("apply", directory, "--no-resolve").changes == []
    text = DECLARED.replace("public_address: 192.0.2.8", "public_address: 192.0.2.9")
    declare(tmp_path, text)
    moved = admin("apply", directory, "--no-resolve")
    assert [kind for _, kind, _ in moved.changes] == ["site", "profile", "profile"]
    assert moved.written == [("Oslo", {"publicAddress"}), ("Phones", {"servers"}), ("Tablets", {"server"})]
    assert moved.data["changes"][2]["after"]["server"]["address"] == "192.0.2.9:443"


def test_profile_gets_new_port_via_configuration_id(admin: MstAdmin, tmp_path: Path) -> None:
    assert admin("apply", declare(tmp_path, DECLARED)).code == 0
    second = admin("config", "show", "Second").data["object"]["id"]
    text = DECLARED.replace("configuration: Second", f"configuration: {second}")
    text = text.replace("session_timeout: 1800", "session_timeout: 1800\n    listen_port: 8443")
    profiles = (
        PROFILES[PROFILES.index("profiles:") :]
        .replace("Berlin", "Oslo")
        .replace("    trusted_root: ROOT\n", "")
    )
    planned = admin("diff", declare(tmp_path, text + profiles), "--no-resolve").data["changes"]
    (phone,) = [item for item in planned if item["name"] == "iPhone"]
    assert phone["after"]["server"]["address"] == "192.0.2.8:8443"


def test_profile_of_undeclared_site_gets_its_new_port(admin: MstAdmin, tmp_path: Path) -> None:
    assert admin("apply", declare(tmp_path, DECLARED)).code == 0
    text = f"""\
version: 1
configurations:
  - {{name: Second, network: 169.254.0.0/16, session_timeout: 1800, listen_port: 8443}}
mam:
  - name: Phones
    platform: android
    connection_name: Contoso
    site: Oslo
    groups: [22222222-2222-3333-4444-555555555555]
{SHOWN[SHOWN.index("profiles:") :].replace("Berlin", "Oslo")}"""
    directory = declare(tmp_path, text)
    planned = {item["name"]: item["after"] for item in admin("apply", directory).data["changes"]}
    assert planned["Shown"]["servers"][0]["address"] == "192.0.2.8:8443"
    settings = {item["name"]: item["value"] for item in planned["Phones (tunnel)"]["customSettings"]}
    assert settings["com.microsoft.tunnel.server_address"] == "192.0.2.8:8443"
    assert admin("apply", directory).changes == []
    for kind, name in (("profile", "Shown"), ("mam", "Phones")):
        assert admin(kind, "delete", name, "--yes").code == 0


def test_prune_deletes_no_site_that_a_declared_profile_names(admin: MstAdmin, tmp_path: Path) -> None:
    assert admin("apply", declare(tmp_path, DECLARED)).code == 0
    profiles = PROFILES.replace("Berlin", "Oslo").replace("ROOT", str(root_file(tmp_path)))
    directory = declare(tmp_path, f"{profiles}sites: []\n")
    assert admin("diff", directory, "--no-resolve").code == 0
    refused = admin("diff", directory, "--prune", "sites", "--no-resolve")
    assert refused.codes("errors") == ["declarations-invalid"]
    assert refused.message.endswith("no site is called `Oslo`")


def test_mistakes_in_profiles_have_their_place_too(admin: MstAdmin, tmp_path: Path) -> None:
    text = PROFILES.replace("site: Berlin", "site: Nowhere").replace("ROOT", str(tmp_path / "none.pem"))
    directory = declare(tmp_path, text)
    refused = admin("diff", directory)
    assert refused.message.endswith(f"tenant.yaml:21:19: there is no certificate at {tmp_path}/none.pem")
    declare(tmp_path, text.replace(str(tmp_path / "none.pem"), str(root_file(tmp_path))))
    assert admin("diff", directory).message.endswith("tenant.yaml:6:11: no site is called `Nowhere`")
    declare(tmp_path, text.replace("defendertoggle: 0", "AntiPhishing: 1"))
    assert "tenant.yaml:11:22: custom_settings.AntiPhishing" in admin("diff", directory).message


def test_a_refusal_names_the_change_and_keeps_what_was_done(admin: MstAdmin, tmp_path: Path) -> None:
    text = "version: 1\nconfigurations:\n  - {name: Third, network: 169.254.0.0/16}\n"
    refused = admin("apply", declare(tmp_path, text), client=READER)
    assert (refused.code, refused.codes("errors")) == (ExitCode.SIGN_IN, ["permission-missing"])
    assert refused.message.startswith("create configuration Third: ")
    assert refused.changes == []


def test_unknown_configuration_is_reported_before_any_change(admin: MstAdmin, tmp_path: Path) -> None:
    text = "version: 1\nsites:\n  - {name: A, public_address: 192.0.2.1, configuration: Nowhere}\n"
    refused = admin("apply", declare(tmp_path, text))
    assert refused.message.endswith("tenant.yaml:3:57: no server configuration is called `Nowhere`")
