"""`mstunnel-setup self update`: replace the installed program with the one that the release feed offers.

Only the program changes. Containers keep running, so no session ends; the monitor notices and restarts
itself.
"""

import hashlib
import os

from packaging.version import Version

from mstunnel_setup import __version__
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, NetworkError, StepError, UsageError
from mstunnel_setup.base.result import Report, Result, Status
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.ca_trust import added_roots_pem
from mstunnel_setup.exchange.release_feed import PROGRAM_TARGETS, Feed, OfferedProgram, read_feed_record
from mstunnel_setup.install.installed import (
    FILE,
    PROGRAM_UPDATES,
    directory,
    journal_of,
    require_installed,
    rootless_account,
    run_lock,
)
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.session import installed_run
from mstunnel_setup.install.steps import program
from mstunnel_setup.io import bundle
from mstunnel_setup.io.http import LARGEST, HttpSession
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.operations.upgrade.fetch_releases import refreshed

_NEW, _PREVIOUS = f"{PROGRAM_UPDATES}/new", f"{PROGRAM_UPDATES}/previous"
_MODE = 0o755
# Seconds: the first allows 30 MB on a slow line, the second lets the new program unpack and install itself.
_DOWNLOAD, _INSTALLATION = 900, 300
_OK = 200


class SelfUpdateReport(Report):
    """Versions of the program: the running one, the installed one afterwards, and the offered one."""

    before: str
    installed: str
    offered: str | None


class SelfInstallReport(Report):
    """The version of the installed program."""

    version: str


def self_update(operator: Operator, *, check: bool, rollback: bool) -> Result[SelfUpdateReport]:
    """Install the newest program of the feed, or with `rollback` the previous one.

    `check` only compares versions. Raises UsageError if the program is a package, without a feed or an
    installation, `program-not-offered`, `program-previous-missing`; StepError `program-refused` for a file
    that does not match the signed one, `program-not-installed` if the earlier program was put back.
    """
    _refuse_unmanaged(operator)
    if rollback:
        return _rollback(operator)
    feed, _releases = refreshed(operator)
    known = read_feed_record(operator.files)
    offer = known.program if known else None
    if offer is None:
        raise UsageError(
            "program-not-offered",
            "the release feed {url} has no program for this machine",
            hint="Ask its publisher, or run the file of a newer release: it replaces this one.",
            url=feed.url,
        )
    if Version(offer.version) <= Version(__version__):
        return _result(
            "unchanged", __version__, offer, text("{version} is the newest version.", version=__version__)
        )
    if check:
        line = text(
            "Version {new} is available; {old} is installed. `mstunnel-setup self update` installs it.",
            new=offer.version,
            old=__version__,
        )
        return _result("ok", __version__, offer, line)
    content = _download(operator, feed, offer)
    # The new program takes the run lock itself; this lock keeps other updates away.
    with run_lock(operator, paths.FEED_LOCK):
        files = operator.files
        files.make_directories(PROGRAM_UPDATES, 0o700)
        # The installed program is kept for `--rollback`.
        if (installed := files.read(f"{directory(files)}/{FILE}")) is not None:
            files.write(_PREVIOUS, installed, _MODE)
        files.write(_NEW, content, _MODE)
        try:
            _run_installer(operator, _NEW)
        finally:
            files.remove(_NEW)
    line = text(
        "Version {new} is installed; it was {old}. The gateway kept running. To return: `mstunnel-setup self "
        "update --rollback`. `mst-cli upgrade check` shows whether there are newer images.",
        new=offer.version,
        old=__version__,
    )
    return _result("changed", offer.version, offer, line)


def install_program(operator: Operator, *, older: bool) -> Result[SelfInstallReport]:
    """Install the running program in place of the installed one; `older` allows a downgrade."""
    scope = Scope.HOST if rootless_account(operator) else Scope.ALL
    request = InstallRequest(ignored_checks=("program-older",) if older else ())
    with installed_run(operator, request, scope=scope) as run:
        program.refuse_too_old(run.receipt)
        (done,) = run.runner.run([program.PROGRAM], run)
    line = text("Version {version} is installed.", version=__version__)
    status: Status = "changed" if done.actions else "unchanged"
    return Result(status, SelfInstallReport(version=__version__), text=[line])


def _refuse_unmanaged(operator: Operator) -> None:
    """Raise unless root runs this, outside of a package, and this program is installed."""
    if paths.ROOTLESS:
        raise NOT_ROOT(what=text("`mstunnel-setup self update`"))
    if bundle.one_file() is None:
        raise UsageError(
            "program-from-package",
            "this program was installed as a package",
            hint="Update it as you installed it: `apt upgrade mstunnel-setup` or "
            "`dnf upgrade mstunnel-setup`.",
        )
    require_installed(journal_of(Scope.ALL, operator, despite_damage=True))


def _download(operator: Operator, feed: Feed, offer: OfferedProgram) -> bytes:
    """Download the offered program and verify it against the signed feed.

    Raises NetworkError and StepError `program-refused`.
    """
    name = PROGRAM_TARGETS[os.uname().machine]
    operator.console.say("Downloading {size} MiB.", size=-(-offer.size >> 20))
    http = HttpSession(
        operator.clock,
        roots=added_roots_pem(operator.files),
        deadline=_DOWNLOAD,
        largest=max(offer.size, LARGEST),
    )
    answer = http.get(f"{feed.url}/targets/{offer.sha256}.{name}")
    if answer.status_code != _OK:
        raise NetworkError(
            "program-unavailable",
            "{url} has no {name}: HTTP {status}",
            hint="Ask the publisher of the feed, or copy the file here and run `FILE self install`.",
            url=feed.url,
            name=name,
            status=answer.status_code,
        )
    content = answer.content
    found = hashlib.sha256(content).hexdigest()
    if (len(content), found) != (offer.size, offer.sha256):
        raise StepError(
            "program-refused",
            "the file is not version {version} as signed in the release feed {url}: it has SHA-256 {found}, "
            "expected {expected}",
            hint="Nothing was changed. Run the command again; if that does not help, ask the publisher.",
            version=offer.version,
            url=feed.url,
            found=found,
            expected=offer.sha256,
        )
    return content


def _rollback(operator: Operator) -> Result[SelfUpdateReport]:
    files = operator.files
    installed = f"{directory(files)}/{FILE}"
    if files.digest(_PREVIOUS) in (None, files.digest(installed)):
        raise UsageError(
            "program-previous-missing",
            "there is no earlier program to return to",
            hint="To install another version, run `FILE self install --older`.",
        )
    _run_installer(operator, _PREVIOUS, "--older")
    files.remove(_PREVIOUS)
    done = operator.processes.run((str(files.locate(installed)), "--version"), timeout=_INSTALLATION)
    version = done.output.split()[-1]
    line = text("Version {new} is installed again; it was {old}.", new=version, old=__version__)
    return _result("changed", version, None, line)


def _run_installer(operator: Operator, file: str, *options: str) -> None:
    """Let the program in `file` install itself. Raises StepError; the installed program is then unchanged.

    The installed file is replaced atomically, and each start unpacks whatever is not unpacked yet.
    """
    command = (str(operator.files.locate(file)), "self", "install", *options)
    done = operator.processes.run(command, timeout=_INSTALLATION, check=False)
    if done.code:
        said = (done.error or done.output).strip()
        raise StepError(
            "program-not-installed",
            "the program did not install itself: {reason}",
            hint="Run the command again; if that does not help, run `mst-cli diagnose`.",
            reason=said or text("exit code {code}", code=done.code),
        )


def _result(
    status: Status, installed: str, offer: OfferedProgram | None, line: str
) -> Result[SelfUpdateReport]:
    report = SelfUpdateReport(
        before=__version__, installed=installed, offered=offer.version if offer else None
    )
    return Result(status, report, text=[line])
