"""Multi Admin Approval with a real lab: changes wait, are approved, and the same command continues."""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pytest

from mst_admin.approvals import DIRECTORY, ApprovalHttp
from mst_admin.kept_sign_in import ForgettingHttp, KeptSignIn
from mstunnel_setup.base.errors import ExitCode, StepError
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import Files
from tests.bench.large_apply import control
from tests.refusals import refused
from tests.unit.mst_admin.labs import Answer, MstAdmin, Tenant, declare, object_file
from tests.unit.running_lab import LAB
from tests.unit.tenant.fakes import FakeHttp, jwt, response

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
    assert unjustified.codes("errors") == ["approval-justification-missing", "approval-before"]
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
    assert waiting.codes("errors") == ["approval-pending", "approval-before"]
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


def test_all_changes_of_a_kind_are_requested_at_once(admin: MstAdmin, tmp_path: Path) -> None:
    """One run asks for all approvals, however many changes run at a time."""
    app = "{{platform: ios, name: App {n}, id: com.contoso.app{n}, publisher: X, store_url: https://x.example/}}"
    apps = "".join(f"  - {app.format(n=number)}\n" for number in range(20))
    asked = admin("apply", declare(tmp_path, f"version: 1\napps:\n{apps}"), *WHY)
    assert asked.codes("errors") == ["approval-required"], "one problem for all of them"
    assert len({item["approval"] for item in asked.data["unapproved"]}) == 20
    assert len(asked.message.splitlines()) == 20


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


def test_missing_approval_does_not_end_a_kept_sign_in(tmp_path: Path) -> None:
    files, token = Files(tmp_path), tmp_path / "kept.token"
    required = response(403, {"error": {"code": "ApprovalRequired"}}, {"x-msft-approval-code": "x"})
    denied = response(403, {"error": {"code": "Forbidden", "message": "No."}})
    http = ForgettingHttp(FakeHttp([required, denied]), KeptSignIn(files, Clock(), "/kept.token", Lock()))
    token.write_text("a token")
    http.request("POST", "https://graph.example/beta/x")
    assert token.exists()
    http.request("POST", "https://graph.example/beta/x")
    assert not token.exists()


def test_account_that_may_not_read_requests_asks_graph(tmp_path: Path) -> None:
    """Then the change is sent with its code, and Graph decides."""
    code, url = "aabb1234-5678-9012-abcd-ef0123456789", "https://graph.example/beta/deviceAppManagement/x"
    refused = response(403, {"error": {"code": "Forbidden"}})
    replies = [response(403, {}, {"x-msft-approval-code": code}), refused, response(204)]
    fake = FakeHttp([*replies])
    http = ApprovalHttp.of(fake, "https://graph.example/beta", Files(tmp_path), Clock(), "Why")
    for _attempt in range(2):
        http.request("DELETE", url, headers={"Authorization": "Bearer opaque"})
    asked, read, sent = (call.options["headers"] for call in fake.calls)
    assert asked["x-msft-approval-justification"] == "V2h5"
    assert fake.calls[1].url.endswith(f"/deviceManagement/operationApprovalRequests/{code}")
    assert not {"x-msft-approval-justification", "x-msft-approval-code"} & set(read)
    assert (sent["x-msft-approval-code"], "x-msft-approval-justification" in sent) == (code, False)
    assert list((tmp_path / DIRECTORY.lstrip("/")).iterdir()) == []


def test_unreadable_request_is_forgotten_when_it_has_expired(tmp_path: Path) -> None:
    code, url = "aabb1234-5678-9012-abcd-ef0123456789", "https://graph.example/beta/deviceAppManagement/x"
    asked = response(403, {}, {"x-msft-approval-code": code})
    fake = FakeHttp([asked, response(404, {}), asked])
    http = ApprovalHttp.of(fake, "https://graph.example/beta", Files(tmp_path), Clock(), "Why")
    http.request("DELETE", url)
    (file,) = (tmp_path / DIRECTORY.lstrip("/")).iterdir()
    os.utime(file, (0, 0))
    http.request("DELETE", url)
    assert fake.calls[-1].options["headers"] == {"x-msft-approval-justification": "V2h5"}


def test_id_that_cannot_be_kept_is_reported(tmp_path: Path) -> None:
    code, url = "aabb1234-5678-9012-abcd-ef0123456789", "https://graph.example/beta/deviceAppManagement/x"
    fake = FakeHttp([response(403, {}, {"x-msft-approval-code": code})])
    http = ApprovalHttp.of(fake, "https://graph.example/beta", Files(tmp_path), Clock(), "Why")
    directory = tmp_path / DIRECTORY.lstrip("/")
    directory.rmdir()
    directory.write_text("not a directory")
    with refused(StepError, "approval-not-kept", match=code):
        http.request("DELETE", url)
    with pytest.raises(FileError):
        ApprovalHttp.of(fake, "https://graph.example/beta", Files(tmp_path), Clock(), "Why")
    assert len(fake.calls) == 1, "an unwritable directory is found before the first request"


def test_other_account_does_not_use_the_approval(tmp_path: Path) -> None:
    """Only the account that requested a change may complete it."""
    code, url = "aabb1234-5678-9012-abcd-ef0123456789", "https://graph.example/beta/deviceAppManagement/x"
    fake = FakeHttp([response(403, {}, {"x-msft-approval-code": code})])
    http = ApprovalHttp.of(fake, "https://graph.example/beta", Files(tmp_path), Clock(), "Why")
    for account in ("1", "2"):
        http.request("DELETE", url, headers={"Authorization": f"Bearer {jwt(tid='t', oid=account)}"})
    assert [call.method for call in fake.calls] == ["DELETE", "DELETE"]
    assert len(list((tmp_path / DIRECTORY.lstrip("/")).iterdir())) == 2


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
