"""A rootless installation in two parts: the host part, which needs root, and the account part.

The account has root do the host part with sudo; root checks that the account can read its files.
"""

import json
import os
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Final, TypeVar

from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.answers.load import AnswersError
from mstunnel_setup.answers.merge import Answers
from mstunnel_setup.answers.secret import SecretReference
from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.answers.values import pem_certificates
from mstunnel_setup.answers.variables import PROXIES
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, CheckError, ExitCode, UsageError, WaitingError, declare
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.base.problem import Problem
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.install.installed import FILE, complete, journal_of
from mstunnel_setup.install.preflight import ca_pem, refuse, refuse_other
from mstunnel_setup.install.report import RunReport
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.run_answers import answers, refuse_unsupported
from mstunnel_setup.install.session import chosen_steps, open_run
from mstunnel_setup.install.steps import environment, proxy
from mstunnel_setup.install.steps.eula import ACCEPTED_KEY
from mstunnel_setup.io import accounts, bundle
from mstunnel_setup.io.accounts import Account, own_name
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import OPENED_BY_CALLER, Files
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.io.own_process import changeable
from mstunnel_setup.io.process import Completed, Processes
from mstunnel_setup.readiness.facts.parse import proxy_places
from mstunnel_setup.transaction.receipt import Receipt, remembered
from mstunnel_setup.transaction.runner import Planned
from mstunnel_setup.transaction.step import AnyStep

PartT = TypeVar("PartT", bound=Report)

DONE: Final = "MSTUNNEL_HOST_DONE"
"""Environment variable by which the account gets the report of root's steps, as JSON."""
_FOR_ROOT: Final = frozenset(
    (
        *("mode", "account", "engine", "bridge"),
        *("tenant.cloud", "tenant.authority", "tenant.graph", "tenant.ca_pem"),
    )
)
"""The answers of the account that root's part uses.

None is a path: root would open the file for the account. None is a proxy: root would set it for all users.
"""
FROM_ACCOUNT: Final = "--answers-from-stdin"
"""The option of `mstunnel-setup host` for the answers of the account, as JSON."""
ONLY: Final = "MSTUNNEL_ONLY_PART"
"""Environment variable that tells the account that root does the host part itself."""

ACCOUNT_CANNOT_READ = declare(
    CheckError,
    "account-cannot-read",
    "account {account} cannot read {files}",
    "Give the account files that it can read, as root, and name the copies in the answers:{commands}",
)
# The hint for unreadable files copies them to this directory.
_COPIES: Final = "/srv/mstunnel"
_READ_SECONDS: Final = 10.0


def scope_to_install(operator: Operator, settings: Settings) -> Scope:
    """Return the part with which an installation begins: all, the host part, or the account part.

    Raises UsageError if the gateway on this host has the other mode or another account, CheckError for a
    user other than root without `--rootless`.
    """
    live = operator.files.live
    receipt = journal_of(Scope.HOST, operator).receipt
    own = journal_of(Scope.ACCOUNT, operator).receipt if paths.ROOTLESS else receipt
    given = answers(operator, settings, own if own.entries else receipt)
    refuse_unsupported(given)
    # The account's journal may lack the mode, which root's journal has.
    asked = given.origins["mode"].kind != "default"
    wanted = (given.mode if asked else remembered(receipt, "mode")) == "rootless"
    installed = remembered(receipt, "account")
    begun = bool(installed) or remembered(receipt, "mode") == "rootless"
    # Accepting the terms does not decide the mode.
    if set(receipt.entries) - {ACCEPTED_KEY} and wanted != begun:
        raise _other_mode(receipt, rootless=begun)
    if not wanted:
        if paths.ROOTLESS and live:
            raise NOT_ROOT(what=text("this command"))
        return Scope.ALL
    if not live:
        raise UsageError(
            "root-rootless",
            "--root and --rootless cannot be combined",
            hint="Leave out one of them.",
        )
    if isinstance(installed, str) and installed != given.account:
        raise UsageError(
            "account-installed",
            "the gateway on this host belongs to account {installed}, not to {wanted}",
            hint="Continue as {installed}, or uninstall the gateway first (`mst-cli uninstall`).",
            installed=installed,
            wanted=given.account,
        )
    if paths.ROOTLESS and given.account != own_name():
        raise UsageError(
            "account-other",
            "the gateway belongs to account {wanted}, but this command runs as {account}",
            hint="Run the command as {wanted} or with sudo, or correct the answer `account`.",
            wanted=given.account,
            account=own_name(),
        )
    return Scope.ACCOUNT if paths.ROOTLESS else Scope.HOST


def _other_mode(receipt: Receipt, *, rootless: bool) -> UsageError:
    mode = text("without root") if rootless else text("with root")
    if complete(receipt, Scope.HOST if rootless else Scope.ALL):
        return UsageError(
            "mode-installed",
            "the gateway on this host was installed {mode}",
            hint="Uninstall it first (`mst-cli uninstall`), or keep that mode.",
            mode=mode,
        )
    return UsageError(
        "mode-begun",
        "an unfinished installation {mode} exists on this host",
        hint="Roll it back first (`mstunnel-setup rollback`), or keep that mode.",
        mode=mode,
    )


def done_by_root(operator: Operator, request: InstallRequest, later: Sequence[AnyStep]) -> Result[RunReport]:
    """Return the result of the host part: just done by root, or now run through sudo if a person agrees.

    `later` are the account's steps. The answers go through standard input, so that no process list shows them
    and root opens no file that the account names.

    Raises WaitingError `root-needed`, with the command for an administrator, if sudo or the person refuses.
    """
    done = os.environ.pop(DONE, "")
    if done:
        return Result(report=RunReport.model_validate_json(done))
    # Root sets the system's proxy only from what an administrator passes, never from the account's answers.
    steps = [step for step in chosen_steps(request.skip, Scope.HOST) if step is not proxy.SYSTEM]
    planned, answers, proxies = planned_by_root(operator, request, steps, later)
    if not any(item.actions for item in planned):
        return Result()
    given = ["--accept-eula", *(word for name in request.skip for word in ("--skip", name))]
    given += [word for check in request.ignored_checks for word in ("--ignore-check", check)]
    # An administrator who types the command names the sources of the answers there.
    sources = ["--answers", str(operator.answers)] if operator.answers else []
    sources += ["--lab", request.lab] if request.lab else []
    by_hand = command_by_hand(*given, *sources)
    if shown := without_passwords(proxies):
        by_hand = ("env", *shown, *by_hand)
    command, console = host_command(*given, FROM_ACCOUNT), operator.console
    changes = [action for item in planned for action in item.actions if not isinstance(action, StoreAnswer)]
    lines = [text("  - {describe}", describe=action.describe()) for action in changes]
    console.page(joined([text("This needs root privileges:"), *lines], "\n"))
    if console.interactive and not console.confirm("Do it now, with sudo"):
        raise _root_needed("you did not confirm it", by_hand)
    return by_sudo(operator, RunReport, command, by_hand, json.dumps(answers).encode())


def planned_by_root(
    operator: Operator, request: InstallRequest, steps: Sequence[AnyStep], later: Sequence[AnyStep]
) -> tuple[list[Planned], JsonObject, Mapping[str, str]]:
    """Return, without root privileges, the actions left for root, the answers for them, and the proxies.

    A person is first asked to accept the terms. `later` are the steps of the account.

    Raises CheckError if the host does not meet the requirements, UsageError for missing answers and declined
    terms.
    """
    with open_run(operator, request, exclusively=False, scope=Scope.HOST) as run:
        refuse_other(run)
        refuse_unreadable(run, operator.answers)
        refuse(run, steps, later)
        planned, given = run.runner.plan(steps, run), run.answers
        # Root gets the certificates as text instead of the path of their file.
        found = {path: value for path, value in given.record().items() if path in _FOR_ROOT}
        if roots := pem_certificates(ca_pem(run)):
            found["tenant.ca_pem"] = roots
        return planned, found, environment.proxies(run)


def by_sudo(
    operator: Operator,
    kind: type[PartT],
    command: Sequence[str],
    by_hand: Sequence[str],
    stdin: bytes | None = None,
) -> Result[PartT]:
    """Run a command of this program through sudo and return its result, with a report of this kind.

    Raises WaitingError `root-needed`, which names the command `by_hand`, if sudo does not run it.

    The documented rule for sudo (docs/how-to/rootless.md) contains exactly these arguments.
    """
    if operator.processes.find("sudo") is None:
        raise _root_needed("sudo is not installed", by_hand)
    asking = () if operator.console.interactive else ("--non-interactive",)
    own = (*command, "--unattended", "--output", "json")
    result = relayed(operator.processes.attend(("sudo", *asking, "--", *own), stdin), kind)
    if result is None:
        raise _root_needed("sudo refused", by_hand)
    return result


def relayed(done: Completed, kind: type[PartT]) -> Result[PartT] | None:
    """Return the result that a command printed in another process; None if that printed no result."""
    try:
        output: Any = json_value(done.output)
        warnings, errors = (
            tuple(Problem(**item) for item in output[name]) for name in ("warnings", "errors")
        )
        report = kind.model_validate(output["data"]) if output["data"] else None
        return Result(output["status"], report, warnings, errors, exit_code=ExitCode(done.code))
    except (ValueError, KeyError, TypeError):
        return None


def _root_needed(why: str, command: Sequence[str]) -> WaitingError:
    copy = text(
        "An administrator's own copy of this program belongs in {programs}. ", programs=paths.PROGRAMS
    )
    return WaitingError(
        "root-needed",
        "the steps that need root are not done: {why}",
        hint="{copy}Have an administrator run this command{then}:\nsudo {command}",
        copy="" if _is_of_root() else copy,
        # The host part is removed last, so nothing of the account is left to continue with.
        then="" if "--remove" in command else text(", then run yours again"),
        why=why,
        command=shlex.join(command),
    )


def answers_of_account(given: bytes) -> JsonObject:
    """Return the answers that `done_by_root` passes to root, by setting path. Raises AnswersError otherwise.

    The account can run the command itself with any input.
    """
    try:
        found = json_value(given)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not set(found) <= _FOR_ROOT:
        raise AnswersError(("standard input: expected a JSON object with the answers for root's part",))
    return found


def without_passwords(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return proxies without a password as arguments of `env`: all users can see the arguments."""
    given = {name: variables[name] for name in PROXIES if name in variables}
    return tuple(f"{place.name}={place.value}" for place in proxy_places("", given) if not place.credentials)


def host_command(*arguments: str) -> tuple[str, ...]:
    """Return the command of the host part that sudo runs for this process's account.

    The account's copy of the program is acceptable: sudo decides whether root may run it, and whoever can
    change it can act as this user anyway. Raises CheckError for a program that other users can change.
    """
    source = _program()
    one_file = bundle.one_file() is not None
    if found := next(changeable([Path(source)], own=one_file), None):
        raise CheckError(
            "program-not-of-root",
            "root cannot run {source} safely: other users can change {found}",
            hint=(
                "Have an administrator install it where only root can write (`install -m 755 {source}"
                " {programs}/{file}`), then run that copy."
            ),
            source=source,
            found=found,
            programs=paths.PROGRAMS,
            file=FILE,
        )
    return (source, "host", "--account", own_name(), *arguments)


def command_by_hand(*arguments: str) -> tuple[str, ...]:
    """Return the command for an administrator, with a program that the account cannot change."""
    program = _program() if _is_of_root() else f"{paths.PROGRAMS}/{FILE}"
    return (program, "host", "--account", own_name(), *arguments)


def _program() -> str:
    return bundle.one_file() or str(Path(sys.argv[0]).absolute().with_name(FILE))


def _is_of_root() -> bool:
    return next(changeable([Path(_program())]), None) is None


def refuse_unreadable(run: Run, answer_file: Path | None) -> None:
    """Raise CheckError for named files that exist and that the account cannot read.

    Root copies nothing for the account: otherwise the author of the answers could have root read any file.
    """
    files, name = run.files, run.answers.account
    account = accounts.find(name)
    # An account that does not exist yet is tested with an unused uid, which has the same rights.
    reader = None if paths.ROOTLESS else account or Account(name, paths.AGENT_USER, paths.AGENT_USER, "/")
    named = [*([str(answer_file)] if answer_file else ()), *_named(run.answers)]
    # Root's part gives the settings directory and its content to the account. Files in it are tested only
    # afterwards, including the usual paths of the certificate.
    state = files.state(paths.CONFIGURATION)
    if state is None or account is None or state.uid != account.uid:
        named = [path for path in named if not _is_setting(files, path)]
    else:
        usual = (paths.SITE_CERTIFICATE, paths.SITE_KEY, paths.SITE_PFX)
        named = list(dict.fromkeys((*named, *(str(files.locate(path)) for path in usual))))
    unreadable = [
        path for path in named if _exists(files, path) and not _can_read(run.host.processes, path, reader)
    ]
    if unreadable:
        commands = [] if account else [f"mstunnel-setup host --account {name}"]
        commands += [_remedy(files, path, name) for path in unreadable]
        listed = "".join(text("\n  {command}", command=command) for command in commands)
        raise ACCOUNT_CANNOT_READ(account=name, files=" and ".join(unreadable), commands=listed)


def refuse_unreadable_by(operator: Operator, name: str, path: str) -> None:
    """Raise CheckError if the account `name`, as which root continues, cannot read the file."""
    if not _can_read(operator.processes, path, accounts.find(name)):
        remedy = _remedy(operator.files, path, name)
        raise ACCOUNT_CANNOT_READ(account=name, files=path, commands=text("\n  {remedy}", remedy=remedy))


def _named(answers: Answers) -> Iterator[str]:
    """Yield the files that the answers name, without pipes of the shell, which are passed on.

    The archive beside the program is left out, too: root's part copies it.
    """
    given = [setting.path for setting in SETTINGS if answers.origins[setting.path].kind != "default"]
    for value in map(answers.value, given):
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, SecretReference) and item.place == "file":
                yield item.name
            elif isinstance(item, str) and item.startswith("/") and not item.startswith(OPENED_BY_CALLER):
                yield item


def _is_setting(files: Files, path: str) -> bool:
    return PurePosixPath(path).is_relative_to(files.locate(paths.CONFIGURATION))


def _exists(files: Files, path: str) -> bool:
    """Return whether the file exists, or may exist where this process cannot look."""
    try:
        return files.given.state(path) is not None
    except FileError:
        return True


def _can_read(processes: Processes, path: str, reader: Account | None) -> bool:
    tried = processes.run(("test", "-r", path), timeout=_READ_SECONDS, check=False, account=reader)
    return tried.code == 0


def _remedy(files: Files, path: str, name: str) -> str:
    """Return the command by which root lets only the account read the file."""
    copy = f"{_COPIES}/{PurePosixPath(path).name}"
    if path == copy or _is_setting(files, path):
        return shlex.join(("chown", "-h", name, path))
    return shlex.join(("install", "-D", "-o", name, "-m", "600", path, copy))
