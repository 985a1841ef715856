"""Fixes: reversible changes that a person is shown before they are made."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mstunnel_setup.host.files import Files
from mstunnel_setup.host.process import Processes
from mstunnel_setup.readiness.facts import Settings
from mstunnel_setup.readiness.model import Finding, Outcome
from mstunnel_setup.readiness.parse import sysctl_lines
from mstunnel_setup.readiness.sysctls import FORWARD, MODULE_FILES, PORT_START, ROOTLESS, SYSCTL_FILE

_PROBLEMS = (Outcome.FAIL, Outcome.WARNING)
_SECONDS = 30.0


@dataclass(frozen=True)
class Fix:
    """One change: the checks it mends, the file that gets `lines`, the command that makes it so now."""

    checks: tuple[str, ...]
    says: str
    path: str = ""
    lines: tuple[str, ...] = ()
    command: tuple[str, ...] = ()


def fixes(findings: Iterable[Finding], settings: Settings) -> tuple[Fix, ...]:
    """The fixes for the findings that have one."""
    broken = {item.id for item in findings if item.result in _PROBLEMS}
    return (*_module_fixes(broken), *_sysctl_fixes(broken, settings))


def _module_fixes(broken: set[str]) -> Iterable[Fix]:
    for module, path in MODULE_FILES.items():
        now, boot = f"module-{module.replace('_', '-')}", f"module-{module.replace('_', '-')}-boot"
        if now in broken:
            yield Fix((now,), f"load the module {module}", command=("modprobe", module))
        if boot in broken:
            yield Fix((boot,), f"write {path}, which loads {module} at boot", path, (module,))


def _sysctl_fixes(broken: set[str], settings: Settings) -> Iterable[Fix]:
    wanted = {
        "ip-forward": (FORWARD, "1"),
        "ip-forward-boot": (FORWARD, "1"),
        "rootless-port": (PORT_START, str(settings.port)),
        "rootless-somaxconn": ("net.core.somaxconn", ROOTLESS["net.core.somaxconn"]),
        "rootless-conntrack-acct": ("net.netfilter.nf_conntrack_acct", "1"),
        "rootless-conntrack-timestamp": ("net.netfilter.nf_conntrack_timestamp", "1"),
    }
    mended = tuple(name for name in wanted if name in broken)
    lines = tuple(dict.fromkeys(f"{wanted[name][0]} = {wanted[name][1]}" for name in mended))
    if lines:
        says = f"write {SYSCTL_FILE} ({'; '.join(lines)}) and apply it"
        yield Fix(mended, says, SYSCTL_FILE, lines, ("sysctl", f"--load={SYSCTL_FILE}"))


def apply(chosen: Sequence[Fix], files: Files, processes: Processes, *, live: bool) -> None:
    """Make the changes; without `live` (another root) only the files. Raises FileError, ProcessError.

    To undo them, remove the files and start the host again.
    """
    for fix in chosen:
        if fix.path:
            _write(files, fix)
        if fix.command and live:
            processes.run(fix.command, timeout=_SECONDS)


def _write(files: Files, fix: Fix) -> None:
    """Keep the lines a file of ours already has; a setting is there once."""
    files.make_directories(fix.path.rpartition("/")[0])
    new = {*sysctl_lines("\n".join(fix.lines)), *fix.lines}
    present = (files.read(fix.path) or b"").decode("utf-8", errors="replace").splitlines()
    kept = [line for line in present if line.strip() not in new and not new & set(sysctl_lines(line))]
    files.write(fix.path, "".join(f"{line}\n" for line in (*kept, *fix.lines)).encode())
