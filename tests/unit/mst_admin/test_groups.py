"""Groups by name: looked up in a lab tenant, shown with their ids, and never guessed."""

from pathlib import Path

import pytest

from mst_admin.kinds.groups import named_groups, permissions_for, with_group_names
from mst_admin.objects.profile import ProfileObject
from mstunnel_lab import remote
from mstunnel_setup.base.errors import ExitCode
from tests.unit.mst_admin.labs import GROUP, OTHER, READER, TOOL, MstAdmin, declare, object_file

ODD = "0b000000-2222-3333-4444-555555555555"
PROFILE = "{name: Tunnel, platform: android-work-profile, connection_name: C, site: Berlin, groups: GROUPS}"
DECLARED = f"""\
version: 1
profiles:
  - {PROFILE}
"""


def _declared(tmp_path: Path, groups: str, more: str = "") -> str:
    return declare(tmp_path, DECLARED.replace("GROUPS", groups) + more)


def _assigned(admin: MstAdmin, name: str) -> list[str]:
    return [item["target"]["groupId"] for item in admin("profile", "show", name).data["assignments"]]


def test_names_become_ids_in_the_plan_and_in_the_tenant(admin: MstAdmin, tmp_path: Path) -> None:
    names = '[field WORKERS, "O\'Brien & Søn #1 + 50%"], excluded_groups: [Office staff]'
    directory = _declared(tmp_path, names)
    planned = admin.done("diff", directory)
    targets = planned.data["changes"][0]["after"]["assignments"]
    assert [item["groupId"] for item in targets] == [GROUP, ODD, OTHER]
    assert planned.data["groups"][GROUP] == "Field workers"
    assert f"groupId=O'Brien & Søn #1 + 50% ({ODD})" in admin.text("diff", directory)
    admin.done("apply", directory)
    assert _assigned(admin, "Tunnel") == [GROUP, ODD, OTHER]
    assert admin("apply", directory).status == "unchanged"
    assert f"Field workers ({GROUP})" in admin.text("profile", "show", "Tunnel")
    admin.done("profile", "delete", "Tunnel", "--yes")


def test_name_and_id_of_one_group_are_assigned_once(admin: MstAdmin, tmp_path: Path) -> None:
    planned = admin.done("diff", _declared(tmp_path, f"[Field workers, {GROUP.upper()}]"))
    assert [item["groupId"] for item in planned.data["changes"][0]["after"]["assignments"]] == [GROUP]
    both = _declared(tmp_path, f"[Field workers], excluded_groups: [{GROUP}]")
    refused = admin("diff", both)
    assert (refused.code, refused.codes("errors")) == (ExitCode.USAGE, ["declarations-invalid"])
    assert f"the group {GROUP} is both included and excluded" in refused.message


def test_unknown_and_ambiguous_names_are_reported_together(admin: MstAdmin, tmp_path: Path) -> None:
    refused = admin("diff", _declared(tmp_path, "[Twins, Nobody]"))
    assert (refused.code, refused.codes("errors")) == (ExitCode.USAGE, ["declarations-invalid"])
    first, second = refused.message.splitlines()
    assert "tenant.yaml:3:" in first
    assert "2 groups of the tenant are called Twins" in first
    assert "22222222-2222-3333-4444-aaaaaaaaaaaa, 22222222-2222-3333-4444-bbbbbbbbbbbb" in first
    assert "no group of the tenant is called Nobody" in second


def test_commands_for_one_file_take_names_too(admin: MstAdmin, tmp_path: Path) -> None:
    text = "version: 1\nname: One\nplatform: ios\nconnection_name: C\nsite: Berlin\ngroups: GROUPS\n"
    refused = admin("profile", "create", object_file(tmp_path, text.replace("GROUPS", "[Twins, Nobody]")))
    assert refused.codes("errors") == ["group-ambiguous", "group-unknown"]
    assert "object.yaml:6:9: 2 groups of the tenant" in refused.message
    file = object_file(tmp_path, text.replace("GROUPS", "[Field workers]"))
    assert admin("profile", "lint", file).code == ExitCode.DONE
    assert f"groupId=Field workers ({GROUP})" in admin.text("profile", "create", file)
    assert _assigned(admin, "One") == [GROUP]
    assert admin("profile", "update", file).status == "unchanged"
    admin.done("profile", "delete", "One", "--yes")


def test_name_of_everyone_is_only_a_name(admin: MstAdmin, tmp_path: Path) -> None:
    planned = admin.done("diff", _declared(tmp_path, "[All devices]"))
    (target,) = planned.data["changes"][0]["after"]["assignments"]
    assert target["@odata.type"] == "#microsoft.graph.groupAssignmentTarget"
    for name in ("AllDevices", "All users"):
        refused = admin("diff", _declared(tmp_path, f"[{name}]"))
        assert f"no group of the tenant is called {name}" in refused.message
        assert "all_devices" in refused.message


@pytest.mark.parametrize(
    ("groups", "code"), [(f"[{GROUP}]", ExitCode.DONE), ("[Field workers]", ExitCode.SIGN_IN)]
)
def test_only_names_need_the_permission(admin: MstAdmin, tmp_path: Path, groups: str, code: ExitCode) -> None:
    answer = admin("diff", _declared(tmp_path, groups), client=READER)
    assert answer.code == code, answer.message
    if code:
        assert answer.codes("errors") == ["permission-missing"]
        assert "GroupMember.Read.All" in answer.envelope["errors"][0]["hint"]
    else:
        assert answer.data["groups"] == {}


def test_refusal_of_names_leaves_the_ids(admin: MstAdmin, tmp_path: Path) -> None:
    fault = {"path": "*/groups", "status": 403, "times": None}
    remote.control(admin.tenant.directory, "POST", "faults", {"faults": [fault]})
    shown = admin.text("diff", _declared(tmp_path, f"[{GROUP}]"))
    remote.control(admin.tenant.directory, "DELETE", "faults")
    assert f"groupId={GROUP}" in shown


def test_export_writes_the_name_as_a_comment(admin: MstAdmin, tmp_path: Path) -> None:
    admin.done("apply", _declared(tmp_path, "[Field workers]"))
    for client, comment in ((TOOL, "  # Field workers"), (READER, "")):
        target = tmp_path / f"export-{bool(comment)}"
        assert admin("export", str(target), client=client).code == 0
        lines = (target / "profiles.yaml").read_text().splitlines()
        (line,) = (line for line in lines if GROUP in line)
        assert line.strip() == f"- {GROUP}{comment}"
    assert admin("diff", str(tmp_path / "export-True"), "--exit-code").code == 0
    admin.done("profile", "delete", "Tunnel", "--yes")


def test_groups_of_every_kind_are_named(admin: MstAdmin, tmp_path: Path) -> None:
    more = """\
apps:
  - name: Edge
    platform: android
    id: com.microsoft.emmx
    assignments: [{intent: required, groups: [Office staff]}]
app_configurations:
  - {name: C, channel: managed-apps, platform: ios, groups: [Office staff]}
mam:
  - {name: M, platform: android, connection_name: C, site: Berlin, groups: [Office staff]}
"""
    changes = admin.done("diff", _declared(tmp_path, "[Field workers]", more)).data["changes"]
    groups = {
        (change["kind"], (item.get("target") or item)["groupId"])
        for change in changes
        for item in change["after"]["assignments"]
    }
    assert groups == {
        ("profile", GROUP),
        ("app", OTHER),
        ("app configuration", OTHER),
        ("app protection", OTHER),
    }


def test_ids_are_not_taken_for_names() -> None:
    declared = ProfileObject.model_validate(
        {
            "name": "P",
            "platform": "ios",
            "connection_name": "C",
            "site": "S",
            "groups": [GROUP.upper(), " Field workers "],
        }
    )
    assert declared.groups == (GROUP, "Field workers")
    assert list(named_groups(declared)) == [("groups", "Field workers")]
    assert permissions_for([declared]) == ("GroupMember.Read.All",)
    assert permissions_for([declared.model_copy(update={"groups": (GROUP,)})]) == ()


def test_known_ids_are_shown_after_names() -> None:
    document = {"groups": [GROUP, OTHER], "site": GROUP, "assignments": [{"target": {"groupId": GROUP}}]}
    named = f"Field workers ({GROUP})"
    assert with_group_names(document, {GROUP: "Field workers"}) == {
        "groups": [named, OTHER],
        "site": GROUP,
        "assignments": [{"target": {"groupId": named}}],
    }
