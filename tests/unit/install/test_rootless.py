"""Root's part as started by the account: shown, confirmed, run by one sudo, or left to an administrator."""

import io
import json
import shlex
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.actions.files import MakeDirectory
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.answers.load import AnswersError
from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError, ExitCode, UsageError, WaitingError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.cli import setup
from mstunnel_setup.cli.framework.render import run_app
from mstunnel_setup.install import install, rootless, uninstall
from mstunnel_setup.install.report import RunReport
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.steps import eula, sign_in, site
from mstunnel_setup.io.accounts import own_name
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.transaction.receipt import remembered
from mstunnel_setup.transaction.runner import Planned
from mstunnel_setup.transaction.step import AnyStep
from tests.cases import every
from tests.refusals import refused
from tests.unit.certificates.pki import Pki
from tests.unit.install.scenes import FakePrompter, Scene
from tests.unit.operators import operator_of

COMMAND = ("/usr/sbin/mstunnel-setup", "host", "--account", "gateway")
SECRET = "http://user:word@proxy.example.com:3128"
PLANNED = [
    Planned("account", "Account", (StoreAnswer(name="mode", value="rootless"), MakeDirectory(path="/x")))
]


@pytest.fixture(autouse=True)
def bare(tmp_path: Path) -> None:
    """Create the directories of every host."""
    for name in ("etc", "run", "var"):
        (tmp_path / name).mkdir()


def planned(host: Path, console: FakePrompter, **settings: str) -> list[str]:
    """Return the objects that root would create with only the terms accepted."""
    operator = operator_of(host, console)
    request = InstallRequest({"mode": "rootless", **settings})
    later: list[AnyStep] = [sign_in.STEP, eula.STEP, site.STEP]
    steps, _, _ = rootless.planned_by_root(operator, request, [eula.BY_ROOT], later)
    return [action.key for step in steps for action in step.actions]


def test_a_person_reads_the_terms_before_root_has_anything_to_do(tmp_path: Path) -> None:
    with refused(UsageError, "eula-declined"):
        planned(tmp_path, FakePrompter(["no"]))
    console = FakePrompter(["yes"])
    assert planned(tmp_path, console) == ["answer:accepted-eula"]
    assert console.paged == [eula.terms()]


def test_unattended_run_names_missing_answers_before_root(tmp_path: Path) -> None:
    with refused(UsageError, "answers-missing") as caught:
        planned(tmp_path, FakePrompter(interactive=False), **{"tenant.cloud": "public"})
    assert [caught.value.message.count(f"`{path}`: give") for path in ("eula", "site")] == [1, 1]


def test_unreadable_key_is_refused_before_the_licence_terms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Processes, "run", lambda *_given, **_options: Completed(1, "", ""))
    console = FakePrompter()
    with refused(CheckError, "account-cannot-read"):
        planned(tmp_path, console, **{"certificate.pfx": __file__})
    assert console.paged == []


def test_account_passes_no_proxy_to_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root's part would set the account's proxy for all users."""
    for name in ("https_proxy", "HTTPS_PROXY"):
        monkeypatch.setenv(name, SECRET)
    given = {"mode": "rootless", "environment": {"TRACE_SESSIONS": "1"}, "site": "Berlin"}
    operator = operator_of(tmp_path, FakePrompter(["yes"]))
    _, told, proxies = rootless.planned_by_root(operator, InstallRequest(given), [eula.BY_ROOT], [])
    # The site belongs to the account's part, so root does not get it.
    assert told == {"mode": "rootless"}
    assert proxies == {"https_proxy": SECRET}
    assert rootless.answers_of_account(json.dumps(told).encode()) == told
    with pytest.raises(AnswersError):
        rootless.answers_of_account(json.dumps({"environment": proxies}).encode())


def test_root_gets_the_certificates_and_not_their_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Processes, "run", lambda *_given, **_options: Completed(0, "", ""))
    root = Pki({"leaf": {}}).certificate("root").public_bytes(Encoding.PEM).decode()
    (tmp_path / "roots.pem").write_text(f"Our root\n{root}")
    named = {"tenant.ca_file": "roots.pem", "devices.ca_file": "roots.pem", "images.archive": "images.tar"}
    given = {"mode": "rootless", "authentication": "certificate"}
    given |= {path: str(tmp_path / name) for path, name in named.items()}
    operator = operator_of(tmp_path, FakePrompter(["yes"]))
    _, told, _ = rootless.planned_by_root(operator, InstallRequest(given), [eula.BY_ROOT], [])
    assert str(tmp_path) not in json.dumps(told)
    assert not [value for value in told.values() if str(value).startswith("/")]
    assert merge(rootless.answers_of_account(json.dumps(told).encode()), {}).tenant.ca_pem == root


PATHS = [
    *("tenant.ca_file", "devices.ca_file", "devices.crl_file", "images.archive"),
    *("certificate.chain", "certificate.key", "certificate.pfx", "certificate.passphrase"),
    *(f"sign_in.{key}" for key in ("certificate", "key", "pfx", "passphrase", "client_secret", "token_file")),
    *(f"identity.{key}" for key in ("certificate", "key", "pfx", "passphrase", "client_secret")),
]


@every("path", PATHS)
def test_root_takes_no_path_from_the_account(path: str) -> None:
    with pytest.raises(AnswersError):
        rootless.answers_of_account(json.dumps({path: "/etc/shadow"}).encode())


@pytest.mark.parametrize("path", sorted(rootless._FOR_ROOT))
def test_no_answer_that_root_takes_may_be_a_path(path: str) -> None:
    with pytest.raises(AnswersError):
        merge(rootless.answers_of_account(json.dumps({path: "/etc/shadow"}).encode()), {})


@pytest.mark.parametrize("told", [b"", b"root:$y$hash", b"[]", b'{"unknown": 1}', b"\xff"])
def test_anything_else_is_refused_and_not_repeated(told: bytes) -> None:
    with pytest.raises(AnswersError) as caught:
        rootless.answers_of_account(told)
    assert caught.value.problems == (
        "standard input: expected a JSON object with the answers for root's part",
    )


def test_answers_of_the_account_cannot_change_the_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rule for sudo fixes the options."""
    seen: list[Settings] = []

    def run_steps(_operator: Operator, request: InstallRequest, *_more: Any, **_: Any) -> install.RunOutcome:
        seen.append(request.settings)
        return install.RunOutcome(RunReport.of([]), "", ())

    monkeypatch.setattr(paths, "ROOTLESS", False)
    monkeypatch.setattr(install, "scope_to_install", lambda *_given: None)
    monkeypatch.setattr(install, "run_steps", run_steps)
    told = json.dumps({"account": "other", "mode": "rootful", "engine": "podman"}).encode()
    request = InstallRequest({"account": "gateway"})
    install.host(operator_of(tmp_path, FakePrompter()), request, remove=False, given=told)
    assert seen == [{"account": "gateway", "mode": "rootless", "engine": "podman"}]


def test_the_host_command_reads_them_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bytes | None] = []

    def host(*_arguments: Any, given: bytes | None, **_options: Any) -> Result:
        seen.append(given)
        return Result()

    monkeypatch.setattr(install, "host", host)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"{}")))
    for more in (["--answers-from-stdin"], []):
        assert run_app(setup.app, "mstunnel-setup", ["host", *more, "--unattended"]) == 0
    assert seen == [b"{}", None]


@pytest.fixture
def prepared(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Operator:
    """Return the unattended operator of the account, on a host that root has prepared."""
    for name in ("etc", "run", "var"):
        (scene.root / name).mkdir(exist_ok=True)
    monkeypatch.setattr(paths, "STATE", paths.HOST_STATE)
    for name, value in {"mode": "rootless", "account": own_name()}.items():
        scene.remember(name, value)
    monkeypatch.setattr(paths, "ROOTLESS", True)
    monkeypatch.setattr(Files, "live", True)
    monkeypatch.setattr(paths, "STATE", "/home/gateway/.local/state/mstunnel")
    return operator_of(scene.root, FakePrompter(interactive=False))


def test_after_roots_part_the_account_needs_no_option(prepared: Operator, scene: Scene) -> None:
    install.one_step(prepared, InstallRequest({"eula": "accept"}), "eula")
    known = remembered(scene.journal.receipt, "answers")
    assert isinstance(known, dict)
    assert known["mode"] == "rootless"
    assert rootless.scope_to_install(prepared, {}) is Scope.ACCOUNT


def test_an_account_whose_journal_lacks_the_mode_continues(prepared: Operator, scene: Scene) -> None:
    """Earlier releases did not record the mode if only root got the option."""
    scene.remember("answers", {"site": "Berlin"})
    assert rootless.scope_to_install(prepared, {}) is Scope.ACCOUNT
    with refused(UsageError, "mode-begun"):
        rootless.scope_to_install(prepared, {"mode": "rootful"})


@pytest.mark.parametrize("mode", ["rootless", "rootful"])
def test_root_who_was_stopped_after_the_terms_may_still_choose(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    scene.run(eula.BY_ROOT, scene.opened(eula="accept"))
    monkeypatch.setattr(Files, "live", True)
    chosen = rootless.scope_to_install(operator_of(scene.root), {"mode": mode})
    assert chosen is (Scope.HOST if mode == "rootless" else Scope.ALL)


def test_interrupted_root_part_resumes_without_the_option(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.run(eula.BY_ROOT, scene.opened(eula="accept"))
    scene.remember("mode", "rootless")
    monkeypatch.setattr(Files, "live", True)
    assert rootless.scope_to_install(operator_of(scene.root), {}) is Scope.HOST


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Sequence[str]]:
    """Return the list of commands run at the terminal; sudo is installed and succeeds."""
    commands: list[Sequence[str]] = []

    def attend(_self: Processes, arguments: Sequence[str], stdin: bytes | None = None) -> Completed:
        commands.append(arguments if stdin is None else (*arguments, f"<<<{stdin.decode()}"))
        data = {"objects": []} if "--remove" in arguments else {"steps": [], "actions": 2}
        envelope = {"status": "changed", "data": data, "warnings": [], "errors": []}
        return Completed(0, json.dumps(envelope), "")

    monkeypatch.setattr(Processes, "find", lambda _self, name: f"/usr/bin/{name}")
    monkeypatch.setattr(Processes, "attend", attend)
    return commands


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make root's program run as the account `gateway`."""
    monkeypatch.setattr(sys, "argv", ["/usr/sbin/mst-cli"])
    monkeypatch.delenv("MSTUNNEL_ONE_FILE", raising=False)
    monkeypatch.setattr(rootless, "own_name", lambda: "gateway")


@pytest.fixture
def to_do(program: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make root's part have actions left."""
    found = PLANNED, {"mode": "rootless"}, {"http_proxy": SECRET}
    monkeypatch.setattr(rootless, "planned_by_root", lambda *_given: found)


@pytest.mark.usefixtures("to_do")
def test_a_person_sees_what_it_is_and_sudo_may_ask(tmp_path: Path, asked: list[Sequence[str]]) -> None:
    console = FakePrompter(["yes"])
    result = rootless.done_by_root(operator_of(tmp_path, console), InstallRequest(), [])
    assert result.data["actions"] == 2
    own = (*COMMAND, "--accept-eula", "--answers-from-stdin", "--unattended", "--output", "json")
    assert asked == [("sudo", "--", *own, '<<<{"mode": "rootless"}')]
    # A stored answer does not count as a change of the host.
    assert console.paged == ["This needs root privileges:\n  - create directory /x"]


@pytest.mark.usefixtures("to_do")
def test_unattended_sudo_does_not_ask(tmp_path: Path, asked: list[Sequence[str]]) -> None:
    rootless.done_by_root(operator_of(tmp_path, FakePrompter(interactive=False)), InstallRequest(), [])
    assert asked[0][:3] == ("sudo", "--non-interactive", "--")


@pytest.mark.usefixtures("to_do")
@pytest.mark.parametrize(
    ("typed", "there", "output", "why"),
    [
        ("no", True, "", "did not confirm"),
        ("", False, "", "not installed"),
        *(("", True, output, "sudo refused") for output in ("", "not JSON", "[]", '{"status": "ok"}')),
    ],
)
def test_command_is_printed_if_sudo_is_not_possible(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    asked: list[Sequence[str]],
    *,
    typed: str,
    there: bool,
    output: str,
    why: str,
) -> None:
    if not there:
        monkeypatch.setattr(Processes, "find", lambda _self, _name: None)
    if not typed:
        monkeypatch.setattr(Processes, "attend", lambda *_given: Completed(1, output, ""))
    console = FakePrompter([typed] if typed else [], interactive=bool(typed))
    with refused(WaitingError, "root-needed", why) as caught:
        rootless.done_by_root(operator_of(tmp_path, console), InstallRequest(), [])
    assert caught.value.exit_code is ExitCode.WAITING
    # The arguments do not contain a proxy with a password, since all users can see them.
    assert caught.value.hint.splitlines()[-1] == shlex.join(("sudo", *COMMAND, "--accept-eula"))
    assert asked == []


@pytest.mark.parametrize(("option", "again"), [("--accept-eula", True), ("--remove", False)])
def test_only_an_installation_goes_on_after_the_printed_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, again: bool
) -> None:
    """After the removal of the host part the account has nothing left to remove."""
    monkeypatch.setattr(Processes, "find", lambda _self, _name: None)
    by_hand = (*COMMAND, option)
    with refused(WaitingError, "root-needed") as caught:
        rootless.by_sudo(operator_of(tmp_path, FakePrompter()), RunReport, by_hand, by_hand)
    assert ("run yours again" in caught.value.hint) is again
    assert caught.value.hint.endswith(f":\nsudo {shlex.join(by_hand)}")


def test_failure_of_roots_part_is_reported_once() -> None:
    error = {"code": "linger-failed", "message": "no", "hint": "look"}
    envelope = {"status": "error", "data": {}, "warnings": [], "errors": [error]}
    result = rootless.relayed(Completed(10, json.dumps(envelope), ""), RunReport)
    assert result is not None
    assert (result.exit_code, result.errors[0].code, result.errors[0].hint) == (
        ExitCode.STEP,
        "linger-failed",
        "look",
    )


@pytest.mark.usefixtures("program")
def test_the_command_says_who_it_is_for() -> None:
    own = ("/usr/sbin/mstunnel-setup", "host", "--account", "gateway", "--remove")
    assert rootless.host_command("--remove") == own


def test_a_command_to_type_names_the_proxies_without_a_password() -> None:
    found = {"http_proxy": SECRET, "https_proxy": "http://p:3128", "no_proxy": "a@b", "X": "1"}
    assert rootless.without_passwords(found) == ("https_proxy=http://p:3128", "no_proxy=a@b")


@pytest.mark.usefixtures("to_do")
def test_the_documented_rule_of_sudo_allows_these_very_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, asked: list[Sequence[str]]
) -> None:
    """The rule has no wildcard, with which the account could make root read any file."""
    operator = operator_of(tmp_path, FakePrompter(interactive=False))
    monkeypatch.setattr(uninstall, "rootless_account", lambda _operator: "gateway")
    monkeypatch.setattr(uninstall, "own_name", lambda: "gateway")
    monkeypatch.setattr(
        uninstall, "journal_of", lambda *_given: SimpleNamespace(receipt=SimpleNamespace(entries=[1]))
    )
    monkeypatch.setattr(paths, "ROOTLESS", True)
    monkeypatch.setattr(Files, "live", True)
    rootless.done_by_root(replace(operator, answers=tmp_path / "gw.yaml"), InstallRequest(lab="x"), [])
    uninstall.take_back(operator, lambda: Result("unchanged"))
    page = Path(__file__).parents[3] / "docs/how-to/rootless.md"
    rules = [line.strip() for line in page.read_text().splitlines() if "NOPASSWD" in line]
    ran = [shlex.join(word for word in command[3:] if not word.startswith("<<<")) for command in asked]
    assert rules == [f"NAME ALL=(root) NOPASSWD: {each.replace('gateway', 'NAME')}" for each in ran]
    assert not any(character in rule for rule in rules for character in "*,\\")
