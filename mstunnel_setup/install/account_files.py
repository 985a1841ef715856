"""Files that the account of a rootless gateway has to read, tried before root changes anything for it."""

import shlex
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from mstunnel_setup.answers.merge import Answers
from mstunnel_setup.answers.secret import SecretReference
from mstunnel_setup.answers.settings import SETTINGS
from mstunnel_setup.base import paths
from mstunnel_setup.base.text import text
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.errors import ACCOUNT_CANNOT_READ
from mstunnel_setup.io import accounts
from mstunnel_setup.io.accounts import Account
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.files import OPENED_BY_CALLER, Files
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.io.process import Processes

# Where the hint puts the copies for the account.
_COPIES: Final = "/srv/mstunnel"
_SECONDS: Final = 10.0


def refuse_unreadable(context: Context, answer_file: Path | None) -> None:
    """Raise CheckError for files that the answers name and the account cannot read, which need not exist yet.

    Nothing is copied for the account: the user who writes the answers would choose what root reads for it.
    """
    files, name = context.ports.files, context.answers.account
    account = accounts.find(name)
    # An account that does not exist yet has no more rights than an unused uid.
    reader = None if paths.ROOTLESS else account or Account(name, paths.AGENT_USER, paths.AGENT_USER, "/")
    named = [*([str(answer_file)] if answer_file else ()), *_named(context.answers)]
    unreadable = [
        path
        for path in _left_to_try(files, named, account)
        if _exists(files, path) and not _can_read(context.ports.processes, path, reader)
    ]
    if unreadable:
        commands = [] if account else [f"mstunnel-setup host --account {name}"]
        commands += [_remedy(files, path, name) for path in unreadable]
        listed = "".join(text("\n  {command}", command=command) for command in commands)
        raise ACCOUNT_CANNOT_READ(account=name, files=" and ".join(unreadable), commands=listed)


def refuse_unreadable_by(operator: Operator, name: str, path: str) -> None:
    """Raise CheckError for a file that the account `name` cannot read, before root continues as it."""
    if not _can_read(operator.processes, path, accounts.find(name)):
        remedy = _remedy(operator.files, path, name)
        raise ACCOUNT_CANNOT_READ(account=name, files=path, commands=text("\n  {remedy}", remedy=remedy))


def _named(answers: Answers) -> Iterator[str]:
    """The files that the administrator named. A pipe of the shell is passed on; it is not a file.

    The archive that the program finds beside itself is copied by root's part.
    """
    given = [setting.path for setting in SETTINGS if answers.origins[setting.path].kind != "default"]
    for value in map(answers.value, given):
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, SecretReference) and item.place == "file":
                yield item.name
            elif isinstance(item, str) and item.startswith("/") and not item.startswith(OPENED_BY_CALLER):
                yield item


def _left_to_try(files: Files, named: list[str], account: Account | None) -> list[str]:
    """Without the files among the settings, as long as root has not given that directory to the account.

    Root's part does so, with all its content; afterwards the usual places of the certificate count as well.
    """
    state = files.state(paths.CONFIGURATION)
    if state is None or account is None or state.uid != account.uid:
        return [path for path in named if not _is_setting(files, path)]
    usual = [str(files.locate(path)) for path in (paths.SITE_CERTIFICATE, paths.SITE_KEY, paths.SITE_PFX)]
    return list(dict.fromkeys((*named, *usual)))


def _is_setting(files: Files, path: str) -> bool:
    return PurePosixPath(path).is_relative_to(files.locate(paths.CONFIGURATION))


def _exists(files: Files, path: str) -> bool:
    """Whether there is such a file, also where this process may not look; what is missing is waited for."""
    try:
        return files.given.state(path) is not None
    except FileError:
        return True


def _can_read(processes: Processes, path: str, reader: Account | None) -> bool:
    tried = processes.run(("test", "-r", path), timeout=_SECONDS, check=False, account=reader)
    return tried.code == 0


def _remedy(files: Files, path: str, name: str) -> str:
    """The command by which root lets only the account read the file."""
    copy = f"{_COPIES}/{PurePosixPath(path).name}"
    if path == copy or _is_setting(files, path):
        return shlex.join(("chown", "-h", name, path))
    return shlex.join(("install", "-D", "-o", name, "-m", "600", path, copy))
