"""Step `account`: the service account of a rootless gateway, and the directory of settings that it owns."""

from collections.abc import Sequence
from dataclasses import dataclass

from mstunnel_setup.actions import accounts
from mstunnel_setup.actions.directories import GiveDirectory
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import text
from mstunnel_setup.install.context import Context
from mstunnel_setup.io import accounts as known_accounts
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.facts.host import HostReader, RootlessFacts
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.receipt import Receipt
from mstunnel_setup.transaction.step import Step


@dataclass(frozen=True)
class ServiceAccount:
    """The account as it is, and whether it can read the system's journal (None: there is no such group).

    `incomplete`: an interrupted run of ours has created it without its home.
    """

    facts: RootlessFacts
    reads_journal: bool | None = None
    incomplete: bool = False


def _gather(context: Context) -> ServiceAccount:
    files, name = context.host.files, context.answers.account
    if name == "root":
        raise UsageError(
            "account-root",
            "a rootless gateway cannot run as root",
            hint="Name another account.",
        )
    settings = Settings(mode="rootless", account=name)
    facts = HostReader(files, context.host.clock, settings, {}).rootless()
    member = known_accounts.is_member(name, accounts.JOURNAL_GROUP)
    reads_journal = member if known_accounts.has_group(accounts.JOURNAL_GROUP) else None
    return ServiceAccount(facts, reads_journal, is_incomplete(files, context.receipt, name))


def is_incomplete(files: Files, receipt: Receipt, name: str) -> bool:
    """Whether our creation of the account has not been finished, and it has no home."""
    entry, found = receipt.entries.get(accounts.CreateAccount(name=name).key), known_accounts.find(name)
    interrupted = entry is not None and not entry.finished
    return interrupted and found is not None and files.state(found.home) is None


def _decide(account: ServiceAccount) -> Sequence[Action]:
    facts, name = account.facts, account.facts.account
    actions: list[Action] = [
        StoreAnswer(name="mode", value="rootless"),
        StoreAnswer(name="account", value=name),
        *_identity(account),
    ]
    if account.reads_journal is False:
        actions.append(accounts.JoinGroup(name=name, group=accounts.JOURNAL_GROUP))
    if not facts.linger:
        actions.append(accounts.EnableLinger(name=name))
    if facts.uid is None or facts.directory_owner != facts.uid:
        actions.append(GiveDirectory(path=paths.CONFIGURATION, account=name))
    return actions


def _identity(account: ServiceAccount) -> Sequence[Action]:
    """A new account gets its subordinate ids with its creation (useradd(8))."""
    facts = account.facts
    if facts.uid is None or account.incomplete:
        return (accounts.CreateAccount(name=facts.account),)
    actions: list[Action] = []
    if facts.subuids < accounts.IDS:
        actions.append(accounts.GiveIds(name=facts.account, ids="subuid", first=facts.free_subuid))
    if facts.subgids < accounts.IDS:
        actions.append(accounts.GiveIds(name=facts.account, ids="subgid", first=facts.free_subgid))
    return actions


STEP = Step("account", text("Service account"), _gather, _decide)
