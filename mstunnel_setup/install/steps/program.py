"""Step `program`: put the one file this run was started from into /usr/sbin, under all its names.

Completions and manual pages go where the shells and `man` of the host look for them; for a rootless gateway,
the archive of the images goes from beside the file to where the account can read it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from mstunnel_setup import __version__
from mstunnel_setup.actions.files import CopyFile, Link, directories
from mstunnel_setup.actions.host import Scope
from mstunnel_setup.actions.store_answer import StoreAnswer, remembered
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CheckError
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.programs import FILE, LINKS, directory
from mstunnel_setup.io import bundle
from mstunnel_setup.io.files import Files
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step

_REMEMBERED = "program"
_MODE = 0o755
LAB_REMOVED = text(
    "mstunnel-lab, which earlier releases placed here, was removed: the lab tenant is a program of its own. "
    "Copy the file mstunnel-lab of the release to where you want to run it."
)
SUPPORT_DIRECTORIES = {
    "bash": ("/usr/share/bash-completion/completions",),
    "fish": ("/usr/share/fish/vendor_completions.d",),
    "zsh": ("/usr/share/zsh/vendor-completions", "/usr/share/zsh/site-functions"),
    "man1": ("/usr/share/man/man1",),
    "man5": ("/usr/share/man/man5",),
    "man8": ("/usr/share/man/man8",),
}
"""By a directory of ours (scripts/support.py), those of the host: Debian's, then others'."""


@dataclass(frozen=True)
class Program:
    """The file that runs (path, SHA-256), None when the program came as a package; and where it belongs.

    `support` copies its completions and manual pages, `archive` the archive of the images.
    """

    source: str | None = None
    digest: str = ""
    directory: str = paths.PROGRAMS
    version: str = __version__
    support: Sequence[CopyFile] = ()
    archive: Sequence[Action] = ()


def _gather(context: Context) -> Program:
    source = bundle.one_file()
    digest = None if source is None else _digest(context, source)
    if source is None or digest is None:
        return Program()
    earlier = remembered(context.receipt, _REMEMBERED)
    installed = str(earlier["version"]) if isinstance(earlier, dict) else __version__
    if Version(installed) > Version(__version__):
        error = CheckError(
            "program-older",
            "this program is version {version}, but version {installed} is installed",
            hint="Run the installed {file}. To downgrade, use --ignore-check program-older.",
            version=__version__,
            installed=installed,
            file=FILE,
        )
        context.fail(error)
    files = context.host.files
    support = tuple(support_files(files, bundle.directory() / "support"))
    return Program(source, digest, directory(files), support=support, archive=_archive(context))


def _digest(context: Context, source: str) -> str | None:
    """SHA-256 of the program; of one that is where it belongs, as recorded: 30 MB take a while to read."""
    files = context.host.files
    place = f"{directory(files)}/{FILE}"
    entry, state = context.receipt.entries.get(f"file:{place}"), files.state(place)
    if entry and entry.finished and state and state.mode == _MODE and str(files.locate(place)) == source:
        return str(entry.versions[-1]["digest"])
    return files.digest_given(source)


def _archive(context: Context) -> Sequence[Action]:
    """Nothing where the account finds the archive already, or there is none beside the program."""
    own = release_images()
    if own is None or context.host.scope is not Scope.HOST:
        return ()
    beside, *_, kept = own.places()
    digest = context.host.files.digest_given(str(beside))
    if digest is None or context.host.files.state(str(kept)) is not None:
        return ()
    return (*directories(str(kept.parent)), CopyFile(path=str(kept), source=str(beside), digest=digest))


def _decide(program: Program) -> Sequence[Action]:
    if program.source is None:
        return ()
    target = f"{program.directory}/{FILE}"
    return (
        StoreAnswer(name=_REMEMBERED, value={"version": program.version}),
        # Ours whatever it holds: a copy that was damaged, or a release that was put there by hand.
        CopyFile(path=target, mode=_MODE, source=program.source, digest=program.digest, managed=True),
        *(Link(path=f"{program.directory}/{name}", target=FILE) for name in LINKS),
        *program.support,
        *program.archive,
    )


def given_up(context: Context) -> list[str]:
    """Name, completions and manual page of the lab tenant, which earlier releases placed with the program."""
    made = [entry.key for entry in context.receipt.entries.values() if entry.step == STEP.name]
    return [key for key in made if "mstunnel-lab" in key.rpartition("/")[2]]


STEP = Step("program", text("The program in /usr/sbin"), _gather, _decide)


def support_files(files: Files, support: Path) -> Iterator[CopyFile]:
    """What copies the files of `support` into directories that the host has: a missing shell needs none."""
    for kind, places in SUPPORT_DIRECTORIES.items():
        target = next((directory for directory in places if files.state(directory) is not None), None)
        for name in files.given.names(str(support / kind)) if target else ():
            source = str(support / kind / name)
            digest = files.digest_given(source)
            if digest is not None:
                yield CopyFile(path=f"{target}/{name}", source=source, digest=digest, managed=True)
