"""Who does which part: root everything; of a rootless gateway root the host part, its account the rest."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

from mstunnel_setup.actions.host import Scope
from mstunnel_setup.install import programs
from mstunnel_setup.install.errors import GATEWAY_ACCOUNT_MISSING
from mstunnel_setup.io import accounts
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Completed

LAST_STEP: Mapping[Scope, str] = {Scope.ALL: "verify", Scope.HOST: "boot", Scope.ACCOUNT: "verify"}
"""The step that finishes each part. Steps after it in the lists were added by later releases."""

# Of root's environment: what was said to our programs, and how the terminal is.
_KEPT = ("TERM", "LANG", "LANGUAGE", "NO_COLOR", "intune_env")
_KEPT_PREFIXES = ("mst_", "MSTUNNEL_", "LC_")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def become(operator: Operator, name: str, more: Mapping[str, str] | None = None) -> NoReturn:
    """Continue this command as the account; `more` are variables for it. Raises CheckError."""
    account = _account(name)
    command = (_program(operator), *sys.argv[1:])
    operator.processes.become(account, command, _environment(account) | dict(more or {}))


def have_done(operator: Operator, name: str, variables: Mapping[str, str]) -> Completed:
    """Have the account run this very command to its end, with its result as JSON. Raises CheckError."""
    account = _account(name)
    command = (_program(operator), *sys.argv[1:], "--output", "json")
    return operator.processes.attend_as(account, command, _environment(account) | dict(variables))


def _account(name: str) -> Account:
    account = accounts.find(name)
    if account is None:
        raise GATEWAY_ACCOUNT_MISSING(account=name)
    return account


def _program(operator: Operator) -> str:
    """This program where the account can run it, too: as it was installed."""
    called = Path(sys.argv[0]).name
    return programs.path_of(operator.files.given, called if called in programs.LINKS else programs.FILE)


def _environment(account: Account) -> dict[str, str]:
    names = (*_KEPT, *_PROXIES, *map(str.upper, _PROXIES))
    kept = {
        name: value for name, value in os.environ.items() if name in names or name.startswith(_KEPT_PREFIXES)
    }
    return {
        **kept,
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": account.home,
        "USER": account.name,
        "LOGNAME": account.name,
        "XDG_RUNTIME_DIR": f"/run/user/{account.uid}",
    }
