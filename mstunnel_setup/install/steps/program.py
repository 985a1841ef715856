"""The steps that install the programs of this product, and the services of the host for them.

`program`: install the running program in /usr/sbin, under all its names.

`monitor`: install the service that carries out the agent's requests.

`audit`: have auditd record who changes the files of the gateway.

`logs`: rotate `setup.log`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from mstunnel_setup import __version__
from mstunnel_setup.actions.files import CopyFile, Link, WriteFile, directories
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.actions.units import (
    AUDIT_LOADER,
    TARGET_DIRECTORY,
    InstallService,
    WriteAuditRules,
    WriteMessageCatalogue,
)
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import CheckError
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.install.installed import FILE, LINKS, MONITOR, MONITOR_UNIT, directory, path_of
from mstunnel_setup.install.run import Run
from mstunnel_setup.io import accounts, bundle
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.facts.section import EngineName
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.receipt import Receipt, remembered
from mstunnel_setup.transaction.step import Step

_REMEMBERED = "program"
_OLDEST = Version("0.2.0")
_MODE = 0o755
SUPPORT_DIRECTORIES = {
    "bash": ("/usr/share/bash-completion/completions",),
    "fish": ("/usr/share/fish/vendor_completions.d",),
    "zsh": ("/usr/share/zsh/vendor-completions", "/usr/share/zsh/site-functions"),
    "man1": ("/usr/share/man/man1",),
    "man5": ("/usr/share/man/man5",),
    "man8": ("/usr/share/man/man8",),
}
"""The host's directories (Debian's first) by the directory that scripts/docs/support.py creates."""


@dataclass(frozen=True)
class Program:
    """The running one-file program (path, SHA-256; None for a package), and its target directory.

    `support` copies its completions and manual pages, `archive` the archive of the images.
    """

    source: str | None = None
    digest: str = ""
    directory: str = paths.PROGRAMS
    version: str = __version__
    support: Sequence[CopyFile] = ()
    archive: Sequence[Action] = ()


def installed_version(receipt: Receipt) -> str:
    """Return the version of the installed program, or of this one if none is installed."""
    found = remembered(receipt, _REMEMBERED)
    return str(found["version"]) if isinstance(found, dict) else __version__


def refuse_too_old(receipt: Receipt) -> None:
    """Raise CheckError for an installation that this program cannot continue."""
    installed = installed_version(receipt)
    if Version(installed) < _OLDEST:
        raise CheckError(
            "program-too-old",
            "version {installed} is installed, and this program updates installations from {oldest} on",
            hint="Run the file of version {oldest} first (`./mstunnel-setup self install`), then this one.",
            installed=installed,
            oldest=_OLDEST,
        )


def _gather_program(run: Run) -> Program:
    files, source = run.files, bundle.one_file()
    if source is None:
        return Program()
    # A program at its target path has the recorded digest, which saves reading its 30 MB.
    place = f"{directory(files)}/{FILE}"
    entry, state = run.receipt.entries.get(f"file:{place}"), files.state(place)
    if entry and entry.finished and state and state.mode == _MODE and str(files.locate(place)) == source:
        digest: str | None = str(entry.versions[-1]["digest"])
    else:
        digest = files.digest_given(source)
    if digest is None:
        return Program()
    installed = installed_version(run.receipt)
    if Version(installed) > Version(__version__):
        run.fail(
            CheckError(
                "program-older",
                "this program is version {version}, but version {installed} is installed",
                hint="Run the installed {file}. To downgrade, use --ignore-check program-older.",
                version=__version__,
                installed=installed,
                file=FILE,
            )
        )
    support = tuple(_support_files(files, bundle.directory() / "support"))
    return Program(source, digest, directory(files), support=support, archive=_archive(run))


def _support_files(files: Files, support: Path) -> Iterator[CopyFile]:
    """Yield actions that copy completions and manual pages to where the host's shells and `man` read them.

    Directories of shells that the host lacks are not created.
    """
    for kind, places in SUPPORT_DIRECTORIES.items():
        target = next((directory for directory in places if files.state(directory) is not None), None)
        for name in files.given.names(str(support / kind)) if target else ():
            source = str(support / kind / name)
            digest = files.digest_given(source)
            if digest is not None:
                yield CopyFile(path=f"{target}/{name}", source=source, digest=digest, managed=True)


def _archive(run: Run) -> Sequence[Action]:
    """Return the action that copies the image archive to where the account of a rootless gateway reads it.

    Empty if the account already finds it, or if there is no archive beside the program.
    """
    own = release_images()
    if own is None or run.host.scope is not Scope.HOST:
        return ()
    beside, *_, kept = own.places()
    digest = run.files.digest_given(str(beside))
    if digest is None or run.files.state(str(kept)) is not None:
        return ()
    return (*directories(str(kept.parent)), CopyFile(path=str(kept), source=str(beside), digest=digest))


def _decide_program(program: Program) -> Sequence[Action]:
    if program.source is None:
        return ()
    target = f"{program.directory}/{FILE}"
    return (
        StoreAnswer(name=_REMEMBERED, value={"version": program.version}),
        # A damaged copy, or a release that an administrator copied there, is replaced without asking.
        CopyFile(path=target, mode=_MODE, source=program.source, digest=program.digest, managed=True),
        *(Link(path=f"{program.directory}/{name}", target=FILE) for name in LINKS),
        *program.support,
        *program.archive,
    )


PROGRAM = Step("program", text("The program in /usr/sbin"), _gather_program, _decide_program)


@dataclass(frozen=True)
class MonitorService:
    """The program to run, its engine, whether systemd can run it, and whether it runs as an account."""

    program: str
    systemd: bool
    engine: EngineName = "podman"
    rootless: bool = False


def _gather_monitor(run: Run) -> MonitorService:
    host = run.host
    systemd = host.systemd.running()
    if not systemd:
        run.console.say(
            "This host does not run systemd: have the init system run `{monitor}`, and restart it when it "
            "exits. It carries out upgrades and restarts unhealthy containers.",
            monitor=MONITOR,
        )
    return MonitorService(path_of(host.files, MONITOR), systemd, run.engine_name, paths.ROOTLESS)


def _decide_monitor(monitor: MonitorService) -> Sequence[Action]:
    if not monitor.systemd:
        return ()
    text = rendering.render(
        f"systemd/{MONITOR_UNIT}", program=monitor.program, engine=monitor.engine, rootless=monitor.rootless
    )
    return (*directories(TARGET_DIRECTORY), InstallService(unit=MONITOR_UNIT, text=text))


MONITORING = Step(
    "monitor",
    text("Monitor of the host"),
    _gather_monitor,
    _decide_monitor,
    # Release 0.2.0 wrote an init script on hosts without systemd.
    obsolete=lambda _run: (f"init-script:{MONITOR}", f"file:/etc/init.d/{MONITOR}"),
)

RULES = "/etc/audit/rules.d/mst.rules"


@dataclass(frozen=True)
class Audit:
    """The state of auditd, the paths to watch, and whether the rules file belongs to others."""

    active: bool
    watched: tuple[str, ...]
    foreign: bool = False


def _gather_audit(run: Run) -> Audit:
    host = run.host
    # An account that plans root's part cannot read the directory of the rules.
    active = host.files.live and not paths.ROOTLESS and host.processes.find(AUDIT_LOADER) is not None
    active = active and host.systemd.running() and host.systemd.active("auditd.service")
    present = host.files.read(RULES) if active else None
    foreign = present is not None and not present.startswith(b"# Written by mstunnel-setup")
    # "enabled 2" means that the rules are locked until the next boot (auditctl(8)).
    if (
        active
        and not foreign
        and "enabled 2" in host.processes.run(("auditctl", "-s"), timeout=15, check=False).output
    ):
        run.note(
            "The audit rules of this host are locked: those of the gateway take effect at the next boot."
        )
    return Audit(active, (paths.CONFIGURATION, path_of(host.files, FILE)), foreign)


def _decide_audit(audit: Audit) -> Sequence[Action]:
    """Return the actions for the rules; newer kernels refuse rules for paths that do not exist yet."""
    if not audit.active or audit.foreign:
        return ()
    return (WriteAuditRules(path=RULES, text=rendering.render("audit/mst.rules", watched=audit.watched)),)


AUDIT = Step("audit", text("Audit of the gateway's files"), _gather_audit, _decide_audit)

_ROTATIONS = "/etc/logrotate.d"
ROTATION = f"{_ROTATIONS}/mstunnel"
# logrotate fails if two of its files name the same log.
OF_PACKAGE = f"{_ROTATIONS}/mstunnel-setup"
"""The logrotate file that the Debian and RPM packages install for root's log."""


@dataclass(frozen=True)
class RotatedLog:
    """A directory with log files, and who owns it."""

    directory: str
    user: str = "root"
    group: str = "root"


@dataclass(frozen=True)
class Logs:
    """The logs to rotate, and whether logrotate is installed."""

    logrotate: bool
    rotated: tuple[RotatedLog, ...] = (RotatedLog(paths.HOST_LOG),)


def _gather_logs(run: Run) -> Logs:
    files = run.files
    rotated = [] if files.state(OF_PACKAGE) is not None else [RotatedLog(paths.HOST_LOG)]
    if run.host.scope is Scope.HOST and (found := accounts.find(run.answers.account)) is not None:
        rotated.append(RotatedLog(f"{paths.state_of_account(found.home)}/log", found.name, found.group))
    return Logs(files.state(_ROTATIONS) is not None, tuple(rotated))


def _decide_logs(logs: Logs) -> Sequence[Action]:
    if not logs.logrotate or not logs.rotated:
        return ()
    return (WriteFile(path=ROTATION, text=rendering.render("logrotate/mstunnel", logs=logs.rotated)),)


def _obsolete_logs(run: Run) -> list[str]:
    """Return the keys of the journal's message catalogues, which release 0.2.0 wrote."""
    entries = run.receipt.entries.values()
    return [entry.key for entry in entries if entry.versions[-1]["kind"] == WriteMessageCatalogue.kind]


LOGS = Step("logs", text("Rotation of the logs"), _gather_logs, _decide_logs, obsolete=_obsolete_logs)
