"""Taking back a rootless gateway: first the account's half, then root's."""

import os
from collections.abc import Callable

from mstunnel_setup import paths
from mstunnel_setup.errors import NOT_ROOT
from mstunnel_setup.host.accounts import own_name
from mstunnel_setup.host.files import Files
from mstunnel_setup.install.errors import ACCOUNT_HALF_FAILED
from mstunnel_setup.install.rootless import HALF, by_sudo, host_command, relayed
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.service_account import have_done
from mstunnel_setup.install.session import journal_of, open_run, rootless_account
from mstunnel_setup.install.uninstall import as_data, forget, forget_program, kept, remove_installation
from mstunnel_setup.operator import Operator
from mstunnel_setup.result import Result


def take_back(operator: Operator, own: Callable[[], Result]) -> Result:
    """Take back everything; `own` takes back the part of whoever runs this process.

    Root has the account do its half first, the account asks root for the other one afterwards.
    """
    files = Files(operator.root)
    result = _take_back(operator, own, files)
    forget_program(files)
    return result


def _take_back(operator: Operator, own: Callable[[], Result], files: Files) -> Result:
    if not files.live:
        return own()
    if not paths.ROOTLESS:
        name = rootless_account(files)
        return _by_root(operator, name) if name else own()
    if rootless_account(files) != own_name() and not journal_of(Scope.ACCOUNT, files).receipt.entries:
        raise NOT_ROOT(what="this command")
    first = own()
    if os.environ.get(HALF) or first.errors or not journal_of(Scope.HOST, files).receipt.entries:
        return first
    command = host_command("--remove")
    operator.console.say("What root did on the host is taken back with sudo.")
    return _joined(first, by_sudo(command, interactive=operator.console.interactive))


def _by_root(operator: Operator, account: str) -> Result:
    first = relayed(have_done(account, {HALF: Scope.ACCOUNT.value}))
    if first is None:
        raise ACCOUNT_HALF_FAILED(account=account)
    return first if first.errors else _joined(first, remove_host_setup(operator))


def remove_host_setup(operator: Operator) -> Result:
    """Take back what root did on the host."""
    with open_run(operator, {}, scope=Scope.HOST) as run:
        if not run.context.receipt.entries:
            forget(run)
            return Result("unchanged", {"objects": []}, text=["Root has nothing to take back here."])
        removals = remove_installation(run)
    return Result("changed", as_data(removals), kept(removals), text=["Root's half was taken back."])


def _joined(first: Result, second: Result) -> Result:
    if second.errors:
        return second
    objects = [*first.data.get("objects", ()), *second.data.get("objects", ())]
    text = ["Removed: both what the account did, and what root did for it."]
    return Result("changed", {"objects": objects}, (*first.warnings, *second.warnings), text=text)
