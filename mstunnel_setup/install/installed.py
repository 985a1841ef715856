"""The installation on this host: its journals, the account of its parts, its programs and locks.

Root does everything; for a rootless gateway root does the host part and the account does the rest. This
module imports no step, so that commands that only read start quickly.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final, NoReturn

from mstunnel_setup.answers.variables import PROXIES
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import GATEWAY_ACCOUNT_MISSING, NOT_INSTALLED, NOT_ROOT, CheckError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.choice import EnginePreference, engine_of
from mstunnel_setup.containers.gateway_host import GatewayHost, gateway_host
from mstunnel_setup.install.request import PATIENCE
from mstunnel_setup.io import accounts, bundle
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.lock import exclusive
from mstunnel_setup.transaction.receipt import Receipt, remembered

LAST_STEP: Mapping[Scope, str] = {Scope.ALL: "verify", Scope.HOST: "boot", Scope.ACCOUNT: "verify"}
"""The step that finishes each part. Steps after it in the lists were added by later releases."""

FILE = "mstunnel-setup"
MONITOR: Final = "mstunnel_monitor"
MONITOR_UNIT = f"{MONITOR}.service"
PROGRAM_UPDATES: Final = f"{paths.STATE}/program"
"""Directory in which `self update` keeps the previous program, and the new one until it is installed."""
LINKS = ("mst-cli", "mst-readiness", "mst-admin", MONITOR, "mstunnel_uplink")
"""The other names of the one-file program, each of which is a command."""

# The account gets only the variables for these programs and for the terminal from root's environment.
_KEPT = ("TERM", "LANG", "LANGUAGE", "NO_COLOR", "intune_env")
_KEPT_PREFIXES = ("mst_", "MSTUNNEL_", "LC_")


@contextmanager
def open_host(operator: Operator) -> Iterator[GatewayHost]:
    """Open this host, for commands that read its state or control its containers."""
    scope = own_scope(operator)
    journal = journal_of(scope, operator, despite_damage=True)
    preference = EnginePreference(installed=engine_of(journal.receipt))
    with gateway_host(operator, scope, preference) as host:
        yield host


@contextmanager
def open_gateway(operator: Operator) -> Iterator[GatewayHost]:
    """Open this host, for commands that need an installed gateway. Raises CheckError `not-installed`."""
    with open_host(operator) as host:
        require_installed(journal_of(Scope.ALL, operator, despite_damage=True))
        yield host


def require_installed(journal: Journal) -> None:
    """Raise CheckError `not-installed` unless an installation has begun."""
    if not journal.begun:
        raise NOT_INSTALLED()


def complete(receipt: Receipt, scope: Scope | None = None) -> bool:
    """Return whether a part has been finished; without `scope`, the part of this process's user.

    Only its last step decides: others may have been skipped, or are newer than the installed release.
    """
    own = scope or (Scope.ACCOUNT if paths.ROOTLESS else Scope.ALL)
    return LAST_STEP[own] in receipt.steps


def own_scope(operator: Operator) -> Scope:
    """Return the part of this process's user. Root continues as the account of a rootless gateway.

    Raises CheckError `not-root` for an account that has no gateway.
    """
    if paths.ROOTLESS:
        own = journal_of(Scope.ACCOUNT, operator, despite_damage=True)
        if operator.files.live and not own.begun:
            raise NOT_ROOT(what=text("this command"))
        return Scope.ACCOUNT
    hand_over_to_account(operator)
    return Scope.ALL


def hand_over_to_account(operator: Operator) -> None:
    """Continue this command as the account if root runs it on the host of a rootless gateway."""
    if operator.files.live and not paths.ROOTLESS and (name := rootless_account(operator)):
        become(operator, name)


def journal_of(scope: Scope, operator: Operator, *, despite_damage: bool = False) -> Journal:
    """Open the journal of one part, or of all; `despite_damage` reads the intact records of a damaged one."""
    # The account reads the host's journal to find out whether root has work left.
    host = scope is Scope.HOST
    directory = paths.HOST_STATE if host else paths.STATE
    return Journal(
        operator.files,
        operator.clock,
        directory,
        beside=(paths.LOG,),
        above=() if host else operator.absent,
        readable=host,
        despite_damage=despite_damage,
    )


def rootless_account(operator: Operator) -> str:
    """Return the account of the rootless gateway, from root's journal; empty if there is none."""
    return account_in(journal_of(Scope.HOST, operator, despite_damage=True).receipt)


def account_in(host: Receipt) -> str:
    """Return the account of the rootless gateway from the host part's receipt; empty if there is none."""
    name = remembered(host, "account")
    return name if isinstance(name, str) else ""


def become(operator: Operator, name: str, more: Mapping[str, str] | None = None) -> NoReturn:
    """Continue this command as the account, with the variables `more`. Raises CheckError."""
    account, program, variables = _as_account(operator, name)
    command = (*bundle.interpreter(), program, *sys.argv[1:])
    operator.processes.become(account, command, variables | dict(more or {}))


def have_done(operator: Operator, name: str, more: Mapping[str, str]) -> Completed:
    """Run this command as the account and return its JSON output. Raises CheckError."""
    account, program, variables = _as_account(operator, name)
    command = (*bundle.interpreter(), program, *sys.argv[1:], "--output", "json")
    return operator.processes.attend_as(account, command, variables | dict(more))


def _as_account(operator: Operator, name: str) -> tuple[Account, str, dict[str, str]]:
    """Return the account, the path of this program that the account can run, and its environment."""
    account = accounts.find(name)
    if account is None:
        raise GATEWAY_ACCOUNT_MISSING(account=name)
    called = Path(sys.argv[0]).name
    program = path_of(operator.files.given, called if called in LINKS else FILE)
    if not is_placed(operator.files):
        raise CheckError(
            "program-not-placed",
            "account {account} cannot run {program}, which does not exist",
            hint="Have root's part place it: `mstunnel-setup host`.",
            account=name,
            program=program,
        )
    names = (*_KEPT, *PROXIES, *map(str.upper, PROXIES))
    variables = {
        **{key: value for key, value in os.environ.items() if key in names or key.startswith(_KEPT_PREFIXES)},
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": account.home,
        "USER": account.name,
        "LOGNAME": account.name,
        "XDG_RUNTIME_DIR": f"/run/user/{account.uid}",
    }
    return account, program, variables


def account_never_began(operator: Operator, name: str) -> bool:
    """Return whether root's part stopped before the account `name` began: no program and no journal."""
    account = accounts.find(name)
    if account is None or is_placed(operator.files):
        return False
    return operator.files.state(f"{paths.state_of_account(account.home)}/journal.jsonl") is None


def is_placed(files: Files) -> bool:
    """Return whether the step `program` has put a program where the account runs it."""
    return bundle.one_file() is None or files.state(path_of(files, FILE)) is not None


def is_this_program_placed(files: Files) -> bool:
    """Return whether the installed program is that of this process, and not of another release."""
    place = files.locate(path_of(files, FILE))
    return bundle.one_file() is None or bundle.stated_by(place) == bundle.running()


def path_of(files: Files, name: str) -> str:
    """Return the path of the program `name`: the installed one, else the one beside the running program."""
    if bundle.one_file() is not None:
        return f"{directory(files)}/{name}"
    return str(Path(sys.argv[0]).absolute().with_name(name))


def directory(files: Files) -> str:
    """Return the directory for the programs: /usr/sbin, or /usr/bin if the system has merged the two.

    /usr/sbin is then a symbolic link.
    """
    state = files.state(paths.PROGRAMS)
    return "/usr/bin" if state is not None and state.kind == "link" else paths.PROGRAMS


def run_lock(
    operator: Operator, path: str = paths.LOCK, patience: float = PATIENCE
) -> AbstractContextManager[None]:
    """Return the lock of this host, or that at `path`; the console announces a wait for it.

    Entering it raises LockedError if another run does not end within `patience` seconds.
    """

    def waiting() -> None:
        operator.console.say("Waiting for another run to end, at most {patience:.0f} s.", patience=patience)

    return exclusive(operator.files, operator.clock, path, patience, waiting)
