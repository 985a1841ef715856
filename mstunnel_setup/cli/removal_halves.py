"""Taking back a rootless gateway: first the account's half, then root's."""

import os
from collections.abc import Callable

from mstunnel_setup import paths
from mstunnel_setup.cli.identity import have_done
from mstunnel_setup.cli.removal import as_data, forget, forget_program, kept, remove_installation
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.cli.rootless import HALF, by_sudo, host_command, relayed
from mstunnel_setup.cli.run import journal_of, not_root, open_run, rootless_account
from mstunnel_setup.errors import StepError
from mstunnel_setup.host.accounts import own_name
from mstunnel_setup.host.files import Files
from mstunnel_setup.steps.half import Half


def take_back(session: Session, own: Callable[[], Result]) -> Result:
    """Take back everything; `own` takes back the part of whoever runs this process.

    Root has the account do its half first, the account asks root for the other one afterwards.
    """
    files = Files(session.common.root)
    result = _take_back(session, own, files)
    forget_program(files)
    return result


def _take_back(session: Session, own: Callable[[], Result], files: Files) -> Result:
    if not files.live:
        return own()
    if not paths.ROOTLESS:
        name = rootless_account(files)
        return _by_root(session, name) if name else own()
    if rootless_account(files) != own_name() and not journal_of(Half.ACCOUNT, files).receipt.entries:
        raise not_root()
    first = own()
    if os.environ.get(HALF) or first.errors or not journal_of(Half.HOST, files).receipt.entries:
        return first
    command = host_command("--remove")
    session.console.say("What root did on the host is taken back with sudo.")
    return _joined(first, by_sudo(command, interactive=session.console.interactive))


def _by_root(session: Session, account: str) -> Result:
    first = relayed(have_done(account, {HALF: Half.ACCOUNT.value}))
    if first is None:
        raise StepError(
            "account-half-failed",
            f"the account {account} cannot take back its half",
            "Look at what it said above; without the account: `mstunnel-setup host --remove`.",
        )
    return first if first.errors else _joined(first, remove_host_half(session))


def remove_host_half(session: Session) -> Result:
    """Take back what root did on the host."""
    with open_run(session, {}, half=Half.HOST) as run:
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
