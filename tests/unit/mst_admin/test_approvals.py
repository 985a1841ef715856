"""Multi Admin Approval with a real lab: changes wait, are approved, and the same command continues."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mst_admin.approvals import DIRECTORY
from mstunnel_setup.base.errors import ExitCode
from tests.bench.large_apply import control
from tests.unit.mst_admin.labs import Answer, MstAdmin, Tenant, declare, object_file
from tests.unit.running_lab import LAB

WHY = ("--justification", "Change 42: Defender for iPhones")
DEFENDER = """\
platform: ios
name: Microsoft Defender
id: com.microsoft.scmx
publisher: Microsoft
store_url: https://apps.apple.com/app/id1526737990
assignments: [{intent: required, groups: [11111111-2222-3333-4444-555555555555]}]
"""
DECLARED = """\
version: 1
apps:
  - platform: ios
    name: Microsoft Defender
    id: com.microsoft.scmx
    publisher: Microsoft
    store_url: https://apps.apple.com/app/id1526737990
    assignments: [{intent: required, groups: [11111111-2222-3333-4444-555555555555]}]
app_configurations:
  - name: Defender on iPhones
    channel: managed-devices
    platform: ios
    settings: {TunnelOnly: true}
    groups: [11111111-2222-3333-4444-555555555555]
thresholds:
  - {metric: latency, healthy: 15, unhealthy: 30}
"""


@pytest.fixture
def protected(tenant: Tenant) -> Iterator[Tenant]:
    """Return a lab in which apps are protected by an access policy."""
    control(tenant, "PUT", "access-policies", {"protected": ["mobileApps"]})
    yield tenant
    control(tenant, "PUT", "access-policies", {"protected": []})


@pytest.fixture
def admin(command: Callable[[Tenant], MstAdmin], protected: Tenant) -> Iterator[MstAdmin]:
    """Return an `mst-admin` for that lab; the app and its configuration are deleted afterwards."""
    found = command(protected)
    yield found
    control(protected, "PUT", "access-policies", {"protected": []})
    found("app-config", "delete", "Defender on iPhones", "--yes")
    found("app", "delete", "com.microsoft.scmx", "--yes")
    found("threshold", "update", "latency", "--default")


def lab_command(tenant: Tenant, *arguments: str) -> dict[str, Any]:
    """Run `mstunnel-lab` about the lab, as an approver does; return the data of the result."""
    command = [LAB, *arguments, "--dir", str(tenant.directory), "--output", "json"]
    found = subprocess.run(command, capture_output=True, check=True, timeout=60)
    data: dict[str, Any] = json.loads(found.stdout)["data"]
    return data


def only_request(answer: Answer) -> str:
    """Return the id of the only approval request of an `apply`."""
    (found,) = {item["approval"] for item in answer.data["unapproved"]} - {""}
    return str(found)


def kept(admin: MstAdmin) -> list[Path]:
    directory = admin.root / DIRECTORY.lstrip("/")
    return sorted(directory.iterdir()) if directory.exists() else []


def test_apply_continues_after_the_approval(admin: MstAdmin, protected: Tenant, tmp_path: Path) -> None:
    directory = declare(tmp_path, DECLARED)
    unjustified = admin("apply", directory)
    assert (unjustified.code, unjustified.status) == (ExitCode.TENANT, "error")
    assert unjustified.codes("errors") == ["approval-before", "approval-justification-missing"]
    assert unjustified.changes == [("update", "threshold", "latency")], "others are made meanwhile"
    assert kept(admin) == []

    asked = admin("apply", directory, *WHY)
    assert (asked.code, asked.status, asked.changes) == (ExitCode.WAITING, "error", [])
    assert [(item["name"], item["code"]) for item in asked.data["unapproved"]] == [
        ("Microsoft Defender", "approval-required"),
        ("Defender on iPhones", "approval-before"),
    ]
    code = only_request(asked)
    assert f"approval request {code}" in asked.message
    (listed,) = [item for item in lab_command(protected, "approvals")["requests"] if item["id"] == code]
    assert (listed["status"], listed["justification"]) == ("needsApproval", WHY[1])
    (file,) = kept(admin)
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)

    waiting = admin("apply", directory)
    assert waiting.code == ExitCode.WAITING
    assert waiting.codes("errors") == ["approval-before", "approval-pending"]
    assert only_request(waiting) == code

    lab_command(protected, "decide", code, "approved")
    assigning = admin("apply", directory, *WHY)
    assert assigning.code == ExitCode.WAITING, "the assignment of the new app is another change"
    assert [item["code"] for item in assigning.data["unapproved"]] == ["approval-required"]
    assert assigning.changes == [("create", "app configuration", "Defender on iPhones")]
    lab_command(protected, "decide", only_request(assigning), "approved")
    done = admin("apply", directory)
    assert (done.code, done.changes) == (0, [("update", "app", "Microsoft Defender")])
    assert admin("apply", directory).status == "unchanged"
    assert kept(admin) == []


@pytest.mark.parametrize("decision", ["rejected", "cancelled", "expired"])
def test_ended_request_is_reported_once(
    admin: MstAdmin, protected: Tenant, tmp_path: Path, decision: str
) -> None:
    file = object_file(tmp_path, f"version: 1\n{DEFENDER}")
    asked = admin("app", "create", file, *WHY)
    assert (asked.code, asked.codes("errors")) == (ExitCode.WAITING, ["approval-required"])
    (code,) = [
        item["id"]
        for item in lab_command(protected, "approvals")["requests"]
        if item["status"] == "needsApproval" and item["id"] in asked.message
    ]
    lab_command(protected, "decide", code, decision, "--note", "Not this week")
    refused = admin("app", "create", file, *WHY)
    assert (refused.code, refused.codes("errors")) == (ExitCode.TENANT, [f"approval-{decision}"])
    assert ("(Not this week)" in refused.message) == (decision == "rejected")
    again = admin("app", "create", file, *WHY)
    assert again.codes("errors") == ["approval-required"]
    assert code not in again.message
    assert len(kept(admin)) == 1


def test_deletion_is_approved_and_made(admin: MstAdmin, protected: Tenant, tmp_path: Path) -> None:
    control(protected, "PUT", "access-policies", {"protected": []})
    admin.done("app", "create", object_file(tmp_path, f"version: 1\n{DEFENDER}"))
    control(protected, "PUT", "access-policies", {"protected": ["mobileApps"]})
    delete = ("app", "delete", "com.microsoft.scmx", "--yes")
    asked = admin(*delete, *WHY)
    assert asked.codes("errors") == ["approval-required"]
    other = admin("app", "delete", "com.microsoft.scmx", "--yes", *WHY)
    assert other.codes("errors") == ["approval-pending"]
    (file,) = kept(admin)
    code = json.loads(file.read_text())["approval"]
    file.unlink()
    lost = admin(*delete, *WHY)
    assert (lost.code, lost.codes("errors")) == (ExitCode.TENANT, ["approval-active"])
    file.write_text(json.dumps({"approval": code}))
    lab_command(protected, "decide", code, "approved")
    assert admin(*delete).status == "changed"
    assert kept(admin) == []


def test_damaged_state_is_ignored(admin: MstAdmin, tmp_path: Path) -> None:
    file = object_file(tmp_path, f"version: 1\n{DEFENDER}")
    admin("app", "create", file, *WHY)
    (state,) = kept(admin)
    for content in ("", "{", "[]", '{"approval": "../../x"}', '{"approval": 1}'):
        state.write_text(content)
        assert admin("app", "create", file, *WHY).codes("errors") == ["approval-required"]


def test_long_justification_is_refused_before_a_request(admin: MstAdmin, tmp_path: Path) -> None:
    file = object_file(tmp_path, f"version: 1\n{DEFENDER}")
    refused = admin("app", "create", file, "--justification", "x" * 1025)
    assert (refused.code, refused.codes("errors")) == (ExitCode.USAGE, ["justification-too-long"])


def test_justification_comes_from_the_environment(
    admin: MstAdmin, protected: Tenant, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MSTUNNEL_JUSTIFICATION", "From the pipeline: Ü")
    admin("app", "create", object_file(tmp_path, f"version: 1\n{DEFENDER}"))
    texts = [item["justification"] for item in lab_command(protected, "approvals")["requests"]]
    assert "From the pipeline: Ü" in texts
