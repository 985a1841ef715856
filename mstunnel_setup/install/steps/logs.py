"""Step `logs`: a message catalogue, with which the journal explains our entries; rotation of `setup.log`."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import mstunnel_setup
from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.host import Scope
from mstunnel_setup.actions.loaded_files import CATALOGUES, WriteMessageCatalogue
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.text import text
from mstunnel_setup.install.context import Context
from mstunnel_setup.io import accounts
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

_SOURCE = str(Path(mstunnel_setup.__file__).with_name("data") / "mstunnel.catalog")
CATALOGUE = f"{CATALOGUES}/mstunnel.catalog"
_ROTATIONS = "/etc/logrotate.d"
ROTATION = f"{_ROTATIONS}/mstunnel"
# A log that two files name ends logrotate with an error.
OF_PACKAGE = f"{_ROTATIONS}/mstunnel-setup"
"""What the Debian and RPM packages of the program bring for root's log."""
_OF_ACCOUNT = ".local/state/mstunnel/log"


@dataclass(frozen=True)
class RotatedLog:
    """A directory with log files, and who owns it."""

    directory: str
    user: str = "root"
    group: str = "root"


@dataclass(frozen=True)
class Logs:
    """What copies the catalogue, None where the journal has none; whether logrotate is here, and its logs."""

    catalogue: WriteMessageCatalogue | None
    logrotate: bool
    rotated: tuple[RotatedLog, ...] = (RotatedLog(paths.HOST_LOG),)


def _gather(context: Context) -> Logs:
    files = context.host.files
    of_root = () if files.state(OF_PACKAGE) is not None else (RotatedLog(paths.HOST_LOG),)
    rotated = (*of_root, *_of_account(context))
    return Logs(_catalogue(files), files.state(_ROTATIONS) is not None, rotated)


def _catalogue(files: Files) -> WriteMessageCatalogue | None:
    digest = files.digest_given(_SOURCE)
    if not files.live or digest is None or files.state(CATALOGUES) is None:
        return None
    return WriteMessageCatalogue(path=CATALOGUE, source=_SOURCE, digest=digest)


def _of_account(context: Context) -> Iterator[RotatedLog]:
    if context.host.scope is Scope.HOST and (found := accounts.find(context.answers.account)) is not None:
        yield RotatedLog(f"{found.home}/{_OF_ACCOUNT}", found.name, found.group)


def _decide(logs: Logs) -> Iterator[Action]:
    if logs.catalogue is not None:
        yield logs.catalogue
    if logs.logrotate and logs.rotated:
        yield WriteFile(path=ROTATION, text=rendering.render("logrotate/mstunnel", logs=logs.rotated))


STEP = Step(
    "logs", text("Message catalogue and rotation of the logs"), _gather, lambda logs: tuple(_decide(logs))
)
