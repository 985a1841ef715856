"""`mst-admin conditional-access plan` and `apply` against a real lab tenant."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mst_admin.access_policies import TITLES, Pattern
from mstunnel_lab import remote
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.tenant.graph_admin import POLICIES
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID
from mstunnel_setup.tenant.wire_access import ENABLED, REPORT_ONLY, ConditionalAccessPolicy
from tests.unit.mst_admin.labs import HERE, READER, Answer, MstAdmin, Tenant, running

BREAK_GLASS = "99999999-0000-4000-8000-000000000000"
ALLOWED = "aaaaaaaa-0000-4000-8000-000000000000"
ADA, BOB, GUEST, EMERGENCY = (f"00000000-0000-4000-8000-00000000000{number}" for number in (1, 2, 3, 9))
COMPLIANT = TITLES[Pattern.COMPLIANT_DEVICES]
ALL = """
  - {pattern: allow-groups, allowed_groups: [aaaaaaaa-0000-4000-8000-000000000000]}
  - {pattern: compliant-devices, exclude_groups: [bbbbbbbb-0000-4000-8000-000000000000]}
  - {pattern: block-other-platforms, groups: [aaaaaaaa-0000-4000-8000-000000000000]}
  - {pattern: block-guests, state: disabled}
  - {pattern: app-protection, name: Contoso MAM}
"""


@pytest.fixture(scope="module")
def access(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    """A tenant with users and groups, shared by the tests of the module."""
    with running(tmp_path_factory.mktemp("access"), HERE / "seed-access.yaml") as tenant:
        yield tenant


@pytest.fixture
def admin(command: Callable[[Tenant], MstAdmin], access: Tenant) -> Iterator[MstAdmin]:
    """`mst-admin` for a tenant without policies."""
    yield command(access)
    for policy in policies(access):
        path = f"/identity/conditionalAccess/policies/{policy.id}"
        access.graph()._transport.send("DELETE", path)


def policies(tenant: Tenant) -> list[ConditionalAccessPolicy]:
    return tenant.graph().objects(POLICIES)


def states(tenant: Tenant) -> dict[str, str]:
    return {item.display_name: item.state for item in policies(tenant)}


@pytest.fixture
def run(admin: MstAdmin, tmp_path: Path) -> Callable[..., Answer]:
    """Run `plan` or `apply` with these policies."""

    def work(verb: str, declared: str, *options: str, **how: str) -> Answer:
        file = tmp_path / "policies.yaml"
        file.write_text(f"version: 1\nbreak_glass_group: {BREAK_GLASS}\npolicies:{declared}")
        return admin("conditional-access", verb, str(file), *options, **how)

    return work


def one(pattern: str = "compliant-devices", **keys: str) -> str:
    return (
        "\n  - {"
        + ", ".join(f"{name}: {value}" for name, value in {"pattern": pattern, **keys}.items())
        + "}"
    )


def test_every_pattern_is_taken_and_a_second_run_changes_nothing(
    run: Callable[..., Answer], access: Tenant
) -> None:
    planned = run("plan", ALL, "--exit-code")
    assert (planned.code, len(planned.data["changes"])) == (ExitCode.CHANGES_PENDING, 5)
    made = run("apply", ALL, "--yes")
    assert (made.code, made.status) == (0, "changed"), made.message
    assert states(access) == {
        TITLES[Pattern.ALLOW_GROUPS]: REPORT_ONLY,
        COMPLIANT: REPORT_ONLY,
        TITLES[Pattern.BLOCK_OTHER_PLATFORMS]: REPORT_ONLY,
        TITLES[Pattern.BLOCK_GUESTS]: "disabled",
        "Contoso MAM": REPORT_ONLY,
    }
    for policy in policies(access):
        assert policy.conditions.applications.include_applications == (GATEWAY_APP_ID,)
        assert BREAK_GLASS in policy.conditions.users.exclude_groups
    again = run("apply", ALL, "--yes")
    assert (again.code, again.status, again.data["changes"]) == (0, "unchanged", [])
    assert run("plan", ALL, "--exit-code").code == 0


def test_a_policy_that_is_declared_enabled_begins_in_report_only_mode(
    run: Callable[..., Answer], access: Tenant
) -> None:
    made = run("apply", one(state="enabled"), "--enable", "--yes")
    assert states(access) == {COMPLIANT: REPORT_ONLY}
    assert "policy-waits" in made.codes()


def test_a_policy_is_enabled_when_asked_for_twice(run: Callable[..., Answer], access: Tenant) -> None:
    run("apply", one(state="enabled"), "--yes")
    assert run("apply", one(state="enabled"), "--yes").status == "unchanged"
    assert run("apply", one(), "--enable", "--yes").status == "unchanged"
    assert states(access) == {COMPLIANT: REPORT_ONLY}
    enabled = run("apply", one(state="enabled"), "--enable", "--yes")
    assert enabled.codes() == ["compliance-excludes-mam"]
    assert [change["after"] for change in enabled.data["changes"]] == [{"state": ENABLED}]
    assert states(access) == {COMPLIANT: ENABLED}
    assert BREAK_GLASS in policies(access)[0].conditions.users.exclude_groups
    assert run("apply", one(state="enabled"), "--yes").status == "unchanged"
    assert run("apply", one(), "--yes").status == "changed"
    assert states(access) == {COMPLIANT: REPORT_ONLY}


def test_what_was_not_evaluated_is_not_enabled(run: Callable[..., Answer], access: Tenant) -> None:
    run("apply", one(state="enabled"), "--yes")
    changed = run("apply", one(state="enabled", groups=f"[{ALLOWED}]"), "--enable", "--yes")
    assert (changed.status, states(access)) == ("changed", {COMPLIANT: REPORT_ONLY})
    assert "policy-waits" in changed.codes()


def test_a_policy_in_force_is_changed_with_enable_only(run: Callable[..., Answer], access: Tenant) -> None:
    run("apply", one(state="enabled"), "--yes")
    run("apply", one(state="enabled"), "--enable", "--yes")
    other = one(state="enabled", groups=f"[{ALLOWED}]")
    refused = run("apply", other, "--yes")
    assert (refused.code, refused.codes("errors")) == (ExitCode.USAGE, ["policy-in-force"])
    assert policies(access)[0].conditions.users.include_users == ("All",)
    assert run("apply", other, "--enable", "--yes").status == "changed"
    users = policies(access)[0].conditions.users
    assert (users.include_users, users.include_groups) == ((), (ALLOWED,))
    assert states(access) == {COMPLIANT: ENABLED}


def test_nothing_is_changed_without_a_yes(run: Callable[..., Answer], access: Tenant) -> None:
    assert run("apply", one()).codes("errors") == ["not-confirmed"]
    assert policies(access) == []


@pytest.mark.parametrize(
    ("group", "declared", "problem"),
    [
        ("", "[{pattern: block-guests}]", "1:1: `break_glass_group` is missing"),
        ("everyone", "[{pattern: block-guests}]", "2:20: `break_glass_group` must be a GUID"),
        (
            BREAK_GLASS,
            f"[{{pattern: compliant-devices, groups: [{BREAK_GLASS}]}}]",
            "`policies` cannot name the break-glass group in `groups`",
        ),
        (BREAK_GLASS, "[{pattern: allow-groups}]", "`policies.0` must have `allowed_groups`"),
        (
            BREAK_GLASS,
            f"[{{pattern: block-guests, groups: [{ALLOWED}]}}]",
            "`policies.0` cannot have `groups` with `pattern: block-guests`",
        ),
        (
            BREAK_GLASS,
            "[{pattern: block-guests}, {pattern: block-guests}]",
            "`policies` must each have a name of their own",
        ),
        (BREAK_GLASS, "[]", "`policies` must have at least one policy"),
        (BREAK_GLASS, "[{pattern: block-gests}]", "did you mean `block-guests`?"),
        (BREAK_GLASS, "[{pattern: block-guests, controls: [mfa]}]", "unknown key `policies.0.controls`"),
    ],
)
def test_a_file_with_a_mistake_is_refused_before_the_sign_in(
    admin: MstAdmin, tmp_path: Path, group: str, declared: str, problem: str
) -> None:
    file = tmp_path / "bad.yaml"
    line = f"break_glass_group: {group}\n" if group else ""
    file.write_text(f"version: 1\n{line}policies: {declared}\n")
    refused = admin("conditional-access", "plan", str(file))
    assert (refused.code, refused.codes("errors")) == (ExitCode.USAGE, ["policy-file-invalid"])
    assert problem in refused.message


def test_a_file_that_is_not_there_is_named(admin: MstAdmin, tmp_path: Path) -> None:
    refused = admin("conditional-access", "plan", str(tmp_path / "none.yaml"))
    assert refused.codes("errors") == ["policy-file-unreadable"]


def test_sign_ins_are_evaluated_on_both_platforms_compliant_or_not(run: Callable[..., Answer]) -> None:
    run("apply", ALL, "--yes")
    cases = run("plan", ALL, *(f"--user={user}" for user in (ADA, BOB, EMERGENCY))).data["what_if"]
    assert [(case["platform"], case["compliant"]) for case in cases[:4]] == [
        ("android", True),
        ("android", False),
        ("iOS", True),
        ("iOS", False),
    ]
    applying = {case["user"]: {item["name"] for item in case["applying"]} for case in cases}
    assert applying[ADA] == {COMPLIANT, "Contoso MAM"}
    assert applying[BOB] == {COMPLIANT, "Contoso MAM", TITLES[Pattern.ALLOW_GROUPS]}
    assert applying[EMERGENCY] == set()
    blocking = next(item for case in cases for item in case["applying"] if case["user"] == BOB)
    assert (blocking["controls"], blocking["state"]) == (["block"], "report-only")


def test_a_user_is_named_by_object_id_or_by_user_name(run: Callable[..., Answer]) -> None:
    run("apply", one("block-guests"), "--yes")
    name = "guest@lab.example"
    cases = run("plan", one("block-guests"), f"--user={name.upper()}").data["what_if"]
    assert [(case["user"], len(case["applying"])) for case in cases] == [(name.upper(), 1)] * 4
    unknown = run("plan", one("block-guests"), "--user=nobody@lab.example")
    assert (unknown.code, unknown.codes("errors")) == (ExitCode.TENANT, ["user-unknown"])


def test_guests_are_evaluated_as_guests(run: Callable[..., Answer]) -> None:
    run("apply", one("block-guests"), "--yes")
    cases = run("plan", one("block-guests"), f"--user={GUEST}", f"--user={ADA}").data["what_if"]
    assert [len(case["applying"]) for case in cases] == [1, 1, 1, 1, 0, 0, 0, 0]


def test_conditions_that_were_not_evaluated_are_unknown(run: Callable[..., Answer], access: Tenant) -> None:
    elsewhere = policy("Office only", ["mfa"])
    elsewhere["conditions"]["locations"] = {"includeLocations": ["All"], "excludeLocations": ["AllTrusted"]}
    access.graph().create(POLICIES, elsewhere)
    case = run("plan", one(), f"--user={ADA}").data["what_if"][0]
    assert [item["name"] for item in case["undecided"]] == ["Office only"]


def test_the_evaluation_is_shown_before_the_question(
    run: Callable[..., Answer], admin: MstAdmin, tmp_path: Path
) -> None:
    run("apply", one(), "--yes")
    shown = admin.text("conditional-access", "plan", str(tmp_path / "policies.yaml"), "--user", ADA)
    assert f"    compliantDevice: {COMPLIANT} (report-only)" in shown.splitlines()
    assert "0 changes to make." in shown


def policy(name: str, controls: list[str], **more: Any) -> dict[str, Any]:
    """A policy that someone else made, for all resources."""
    return {
        "displayName": name,
        "state": ENABLED,
        "conditions": {
            "applications": {"includeApplications": ["All"]},
            "users": {"includeUsers": ["All"]},
            "clientAppTypes": ["all"],
        },
        "grantControls": {"operator": "OR", "builtInControls": controls},
        **more,
    }


def test_controls_of_other_policies_that_break_the_tunnel_are_named(
    run: Callable[..., Answer], access: Tenant
) -> None:
    frequency = {"signInFrequency": {"isEnabled": True, "type": "hours", "value": 1}}
    controls = ["mfa", "approvedApplication", "domainJoinedDevice", "compliantApplication"]
    access.graph().create(POLICIES, policy("Everything", controls, sessionControls=frequency))
    apart = policy("Not the tunnel", ["mfa"])
    apart["conditions"]["applications"]["excludeApplications"] = [GATEWAY_APP_ID]
    access.graph().create(POLICIES, apart)
    access.graph().create(POLICIES, policy("Off", ["mfa"]) | {"state": "disabled"})
    found = run("plan", one())
    told = [item for item in found.envelope["warnings"] if item["code"] == "control-breaks-tunnel"]
    assert all("Everything (enabled)" in item["message"] for item in told)
    used = [item["message"].partition(" uses ")[2].partition(":")[0] for item in told]
    assert used == [*controls, "signInFrequency"]
    assert found.codes().count("break-glass-not-excluded") == 1


def test_a_policy_against_device_codes_is_named(run: Callable[..., Answer], access: Tenant) -> None:
    flows = policy("No device codes", ["block"])
    flows["conditions"]["authenticationFlows"] = {"transferMethods": "deviceCodeFlow"}
    access.graph().create(POLICIES, flows)
    assert "device-code-forbidden" in run("plan", one()).codes()


def test_a_tenant_without_a_policy_in_force_is_told_so(run: Callable[..., Answer]) -> None:
    run("apply", one(state="enabled"), "--yes")
    assert "no-enforced-policy" in run("plan", one(state="enabled")).codes()
    run("apply", one(state="enabled"), "--enable", "--yes")
    assert "no-enforced-policy" not in run("plan", one(state="enabled")).codes()


def test_a_policy_for_other_resources_is_never_overwritten(
    run: Callable[..., Answer], access: Tenant
) -> None:
    access.graph().create(POLICIES, policy("Everything", ["mfa"]))
    refused = run("apply", one(name="Everything"), "--yes")
    assert (refused.code, refused.codes("errors")) == (ExitCode.TENANT, ["policy-of-others"])
    assert policies(access)[0].conditions.applications.include_applications == ("All",)


def test_two_policies_of_one_name_are_refused(run: Callable[..., Answer], access: Tenant) -> None:
    for _ in range(2):
        access.graph().create(POLICIES, policy("Twin", ["mfa"]))
    assert run("plan", one(name="twin")).codes("errors") == ["name-ambiguous"]


def test_a_condition_that_the_file_does_not_have_is_removed(
    run: Callable[..., Answer], access: Tenant
) -> None:
    run("apply", one(), "--yes")
    found = policies(access)[0]
    locations = {"includeLocations": ["All"], "excludeLocations": ["AllTrusted"]}
    access.graph().update(POLICIES, found.id, {"conditions": {"locations": locations}})
    access.graph().update(POLICIES, found.id, {"conditions": {"users": {"excludeGroups": []}}})
    change = run("apply", one(), "--yes").data["changes"][0]
    assert change["after"]["conditions.users.excludeGroups"] == [BREAK_GLASS]
    assert change["before"]["conditions.locations.includeLocations"] == ["All"]
    assert run("apply", one(), "--yes").status == "unchanged"


def test_a_missing_permission_is_named_with_the_role(run: Callable[..., Answer]) -> None:
    assert run("plan", one(), client=READER).code == 0
    refused = run("apply", one(), "--yes", client=READER)
    assert (refused.code, refused.codes("errors")) == (ExitCode.SIGN_IN, ["permission-missing"])
    hint = refused.envelope["errors"][0]["hint"]
    assert "Policy.Read.All, Policy.ReadWrite.ConditionalAccess and Application.Read.All" in hint
    assert "Conditional Access Administrator" in hint


def test_changes_before_a_refused_one_stay_and_are_reported(
    run: Callable[..., Answer], access: Tenant
) -> None:
    fault = {"path": "*/conditionalAccess/policies", "method": "POST", "status": 500}
    remote.control(access.directory, "POST", "faults", {"faults": [{**fault, "status": 0}, fault]})
    stopped = run("apply", ALL, "--yes")
    assert (stopped.code, stopped.codes("errors")) == (ExitCode.TENANT, ["graph-unavailable"])
    assert COMPLIANT in stopped.message
    assert len(stopped.data["changes"]) == len(policies(access)) == 1
    assert run("apply", ALL, "--yes").status == "changed"
    assert len(policies(access)) == 5


def test_a_tenant_without_the_cloud_app_is_told_to_add_it(
    command: Callable[[Tenant], MstAdmin], tenant: Tenant, tmp_path: Path
) -> None:
    file = tmp_path / "policies.yaml"
    file.write_text(f"version: 1\nbreak_glass_group: {BREAK_GLASS}\npolicies:{one()}\n")
    refused = command(tenant)("conditional-access", "plan", str(file))
    assert refused.codes("errors") == ["cloud-app-missing"]
    assert "conditional-access provision" in refused.envelope["errors"][0]["hint"]
