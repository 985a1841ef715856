"""Root's half as the account has it done: shown, agreed to, done by one sudo, or left to an administrator."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.engine.file_actions import MakeDirectory
from mstunnel_setup.engine.runner import Planned
from mstunnel_setup.engine.store_answer import StoreAnswer
from mstunnel_setup.errors import CheckError, ExitCode, UsageError, WaitingError
from mstunnel_setup.host.process import Completed, Processes
from mstunnel_setup.install import rootless
from mstunnel_setup.install.steps import eula, sign_in, site
from tests.unit.install.scenes import FakePrompter
from tests.unit.operators import operator_of

COMMAND = ("/usr/sbin/mstunnel-setup", "host", "--account", "gateway")
PLANNED = [
    Planned("account", "Account", (StoreAnswer(name="mode", value="rootless"), MakeDirectory(path="/x")))
]


def planned(host: Path, console: FakePrompter, **settings: str) -> list[str]:
    """The objects that root would make for the terms alone; sign-in and site are the account's."""
    for name in ("etc", "run", "var"):
        (host / name).mkdir()
    operator = operator_of(host, console)
    steps, _ = rootless.planned_by_root(
        operator, {"mode": "rootless", **settings}, [eula.BY_ROOT], [sign_in.STEP, eula.STEP, site.STEP], ()
    )
    return [action.key for step in steps for action in step.actions]


def test_a_person_reads_the_terms_before_root_has_anything_to_do(tmp_path: Path) -> None:
    console = FakePrompter(["yes"])
    assert planned(tmp_path, console) == ["answer:accepted-eula"]
    assert console.paged == [eula.text()]


def test_whoever_declines_is_not_asked_for_root(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        planned(tmp_path, FakePrompter(["no"]))
    assert caught.value.code == "eula-declined"


def test_unattended_the_answers_of_both_parts_are_named_before_root_is_needed(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        planned(tmp_path, FakePrompter(interactive=False), **{"tenant.cloud": "public"})
    assert caught.value.code == "answers-missing"
    assert [caught.value.message.count(f"`{path}`: give") for path in ("eula", "site")] == [1, 1]


def test_a_key_that_the_account_cannot_read_is_refused_before_the_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Processes, "run", lambda *_given, **_options: Completed(1, "", ""))
    console = FakePrompter()
    with pytest.raises(CheckError) as caught:
        planned(tmp_path, console, **{"certificate.pfx": __file__})
    assert caught.value.code == "account-cannot-read"
    assert console.paged == []


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """The commands that were run at the terminal; sudo is there and does what it is asked for."""
    commands: list[Sequence[str]] = []

    def attend(_self: Processes, arguments: Sequence[str], *_more: Any) -> Completed:
        commands.append(arguments)
        data = {"steps": [], "actions": 2}
        envelope = {"status": "changed", "data": data, "warnings": [], "errors": []}
        return Completed(0, json.dumps(envelope), "")

    monkeypatch.setattr(Processes, "find", lambda _self, name: f"/usr/bin/{name}")
    monkeypatch.setattr(Processes, "attend", attend)
    return commands


def test_a_person_sees_what_it_is_and_sudo_may_ask(tmp_path: Path, asked: list[Sequence[str]]) -> None:
    console = FakePrompter(["yes"])
    result = rootless.have_root_do(operator_of(tmp_path, console), PLANNED, COMMAND)
    assert result.data["actions"] == 2
    assert asked == [("sudo", "--", *COMMAND, "--unattended", "--output", "json")]
    # What is only remembered is no change of the host.
    assert console.said == ["This needs root privileges:\n  - create directory /x"]


def test_unattended_sudo_does_not_ask(tmp_path: Path, asked: list[Sequence[str]]) -> None:
    rootless.have_root_do(operator_of(tmp_path, FakePrompter(interactive=False)), PLANNED, COMMAND)
    assert asked[0][:3] == ("sudo", "--non-interactive", "--")


def refused(tmp_path: Path, console: FakePrompter) -> WaitingError:
    with pytest.raises(WaitingError) as caught:
        rootless.have_root_do(operator_of(tmp_path, console), PLANNED, COMMAND)
    assert caught.value.exit_code is ExitCode.WAITING
    assert caught.value.hint.splitlines()[-1] == "sudo /usr/sbin/mstunnel-setup host --account gateway"
    return caught.value


def test_a_person_may_leave_it_to_an_administrator(tmp_path: Path, asked: list[Sequence[str]]) -> None:
    assert "did not confirm" in refused(tmp_path, FakePrompter(["no"])).message
    assert asked == []


@pytest.mark.usefixtures("asked")
def test_without_sudo_the_command_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Processes, "find", lambda _self, _name: None)
    assert "not installed" in refused(tmp_path, FakePrompter(interactive=False)).message


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("output", ["", "not JSON", "[]", '{"status": "ok"}'])
def test_where_sudo_refuses_the_command_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, output: str
) -> None:
    monkeypatch.setattr(Processes, "attend", lambda *_given: Completed(1, output, ""))
    assert "sudo refused" in refused(tmp_path, FakePrompter(interactive=False)).message


def test_what_fails_in_the_other_half_is_its_own_failure() -> None:
    error = {"code": "linger-failed", "message": "no", "hint": "look"}
    envelope = {"status": "error", "data": {}, "warnings": [], "errors": [error]}
    result = rootless.relayed(Completed(10, json.dumps(envelope), ""))
    assert result is not None
    assert (result.exit_code, result.errors[0].code, result.errors[0].hint) == (
        ExitCode.STEP,
        "linger-failed",
        "look",
    )


def test_the_command_says_who_it_is_for_and_which_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """sudo drops the proxies of the shell; those that were found out are named."""
    monkeypatch.setattr(sys, "argv", ["/opt/venv/bin/mst-cli"])
    monkeypatch.delenv("MSTUNNEL_ONE_FILE", raising=False)
    monkeypatch.setattr(rootless, "own_name", lambda: "gateway")
    command = rootless.host_command("--remove", variables=["https_proxy=http://p:3128"])
    own = ("/opt/venv/bin/mstunnel-setup", "host", "--account", "gateway", "--remove")
    assert command == ("env", "https_proxy=http://p:3128", *own)
