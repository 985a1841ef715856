"""What is installed here, for commands that look at it: journals, account, engine and containers, locks.

It loads no step: what a command only looks at takes a fraction of the time of a run.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from mstunnel_setup.actions.host import Host, Scope, build_host
from mstunnel_setup.actions.store_answer import remembered
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_INSTALLED, NOT_ROOT
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.choice import EnginePreference, engine_of
from mstunnel_setup.install.scope import LAST_STEP, become
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.transaction.journal import Journal
from mstunnel_setup.transaction.lock import exclusive
from mstunnel_setup.transaction.receipt import Receipt

# Seconds. The monitor holds the lock while the gateway tests a configuration, which takes one or two.
PATIENCE: Final = 10.0


@contextmanager
def open_host(operator: Operator) -> Iterator[Host]:
    """This host, for commands that look at it or drive its containers."""
    scope = own_scope(operator)
    preference = EnginePreference(installed=engine_of(journal_of(scope, operator).receipt))
    with build_host(operator, scope, preference) as host:
        yield host


@contextmanager
def open_gateway(operator: Operator) -> Iterator[Host]:
    """This host, for commands that need a gateway here. Raises UsageError `not-installed`."""
    with open_host(operator) as host:
        require_installed(journal_of(Scope.ALL, operator).receipt)
        yield host


def require_installed(receipt: Receipt) -> None:
    """Raise UsageError `not-installed` where no installation has begun: the same for every command."""
    if not receipt.entries:
        raise NOT_INSTALLED()


def complete(receipt: Receipt, scope: Scope | None = None) -> bool:
    """Whether a part was finished once; without a part that of the user of this process.

    Its last step decides: others may have been skipped, or did not exist in the release that installed it.
    """
    own = scope or (Scope.ACCOUNT if paths.ROOTLESS else Scope.ALL)
    return LAST_STEP[own] in receipt.steps


def own_scope(operator: Operator) -> Scope:
    """The part of the user that runs this process. Root hands over to the account of a rootless gateway.

    Raises CheckError `not-root` for an account that has no gateway.
    """
    live = operator.files.live
    if paths.ROOTLESS:
        if live and not journal_of(Scope.ACCOUNT, operator).receipt.entries:
            raise NOT_ROOT(what=text("this command"))
        return Scope.ACCOUNT
    if live and (name := rootless_account(operator)):
        become(operator, name)
    return Scope.ALL


def journal_of(scope: Scope, operator: Operator) -> Journal:
    """The journal of one part, or of all."""
    # The account looks into that of the host, to see whether there is something left for root.
    host = scope is Scope.HOST
    directory = paths.HOST_STATE if host else paths.STATE
    return Journal(operator.files, operator.clock, directory, beside=(paths.LOG,), readable=host)


def rootless_account(operator: Operator) -> str:
    """The account of the rootless gateway here, as root has written down; empty when there is none."""
    name = remembered(journal_of(Scope.HOST, operator).receipt, "account")
    return name if isinstance(name, str) else ""


def run_lock(
    operator: Operator, path: str = paths.LOCK, patience: float = PATIENCE
) -> AbstractContextManager[None]:
    """The lock of this host, or another one of its locks; the operator hears of a wait for it.

    Raises LockedError when another run is in progress and does not end within `patience` seconds.
    """

    def waiting() -> None:
        operator.console.say(
            text("Waiting for another run to end, at most {patience:.0f} s.", patience=patience)
        )

    return exclusive(operator.files, operator.clock, path, patience, waiting)
