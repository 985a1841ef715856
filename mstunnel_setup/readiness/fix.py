"""Fixes: reversible changes that a person is shown before they are made."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from mstunnel_setup.actions import service_account
from mstunnel_setup.actions.firewall import OpenedPort, put_on_record
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.text import text
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts.host import KernelFacts, RootlessFacts
from mstunnel_setup.readiness.facts.parse import sysctl_lines
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.model import CheckFinding, Outcome, ReadinessFacts
from mstunnel_setup.readiness.sysctls import (
    CONNTRACK_MODULE_FILES,
    FORWARD,
    MODULE_FILES,
    PORT_START,
    ROOTLESS,
    SYSCTL_FILE,
)

_PROBLEMS = (Outcome.FAIL, Outcome.WARNING)
_SECONDS = 600.0


@dataclass(frozen=True)
class Fix:
    """One change: the checks it fixes, the file that gets `lines`, and commands for immediate effect.

    `may_fail` is a command to run before them, whatever its result; `says` and `undo` tell people what will
    be done, and how to revert it. `opened` is a port that an uninstallation closes again.
    """

    checks: tuple[str, ...]
    says: str
    undo: str
    path: str = ""
    lines: tuple[str, ...] = ()
    may_fail: tuple[str, ...] = ()
    commands: tuple[tuple[str, ...], ...] = ()
    opened: OpenedPort | None = None


def fixes(findings: Iterable[CheckFinding], facts: ReadinessFacts) -> tuple[Fix, ...]:
    """Return the fixes for the findings that have one."""
    broken = {item.id for item in findings if item.result in _PROBLEMS}
    possible = (
        *_module_fixes(facts.kernel),
        *_sysctl_fixes(broken, facts.settings),
        *_account_fixes(broken, facts.rootless),
        *_security_fixes(facts),
        *_service_fixes(facts),
    )
    named = (replace(fix, checks=tuple(name for name in fix.checks if name in broken)) for fix in possible)
    return tuple(fix for fix in named if fix.checks)


def _module_fixes(kernel: KernelFacts | None) -> Iterator[Fix]:
    for module, path in MODULE_FILES.items():
        check = f"module-{module.replace('_', '-')}"
        undo = f"modprobe -r {module}"
        yield Fix((check,), f"load the module {module}", undo, commands=(("modprobe", module),))
        says = f"write {path}, which loads {module} at boot"
        yield Fix((f"{check}-boot",), says, f"rm {path}", path, (module,))
    # The module's settings exist once it is loaded.
    for module, path in CONNTRACK_MODULE_FILES.items():
        if kernel is not None and module not in kernel.modules and module in kernel.loadable:
            says, undo = f"load the module {module}, now and at boot", f"rm {path}, and modprobe -r {module}"
            settings = ("rootless-conntrack-acct", "rootless-conntrack-timestamp")
            yield Fix(settings, says, undo, path, (module,), commands=(("modprobe", module),))


def _sysctl_fixes(broken: set[str], settings: Settings) -> Iterator[Fix]:
    wanted = {
        "ip-forward": (FORWARD, "1"),
        "ip-forward-boot": (FORWARD, "1"),
        "rootless-port": (PORT_START, str(settings.port)),
        "rootless-somaxconn": ("net.core.somaxconn", ROOTLESS["net.core.somaxconn"]),
        "rootless-conntrack-acct": ("net.netfilter.nf_conntrack_acct", "1"),
        "rootless-conntrack-timestamp": ("net.netfilter.nf_conntrack_timestamp", "1"),
    }
    fixed = tuple(name for name in wanted if name in broken)
    lines = tuple(dict.fromkeys(f"{wanted[name][0]} = {wanted[name][1]}" for name in fixed))
    says = f"write {SYSCTL_FILE} ({'; '.join(lines)}) and apply it"
    undo = f"rm {SYSCTL_FILE}, and start the host again"
    yield Fix(fixed, says, undo, SYSCTL_FILE, lines, commands=(("sysctl", f"--load={SYSCTL_FILE}"),))


def _account_fixes(broken: set[str], rootless: RootlessFacts | None) -> Iterator[Fix]:
    """Yield the changes of the step `account`; a new account already has subordinate ids (useradd(8))."""
    if rootless is None:
        return
    name = rootless.account
    free: Mapping[service_account.IdKind, int] = {
        "subuid": rootless.free_subuid,
        "subgid": rootless.free_subgid,
    }
    if "rootless-account" in broken:
        fixed = ("rootless-account", *(f"rootless-{kind}" for kind in free))
        undo = f"userdel --remove {name}"
        yield Fix(fixed, f"create the account {name}", undo, commands=(service_account.creation(name),))
    else:
        for kind, first in free.items():
            undo = " ".join(service_account.id_range(name, kind, first, "del"))
            says, command = f"give {name} ids in /etc/{kind}", service_account.id_range(name, kind, first)
            yield Fix((f"rootless-{kind}",), says, undo, commands=(command,))
    says = text("let the services of {name} run without a login", name=name)
    # disable-linger returns before the account's programs have ended, and `userdel` refuses until then.
    undo = f"loginctl disable-linger {name} && systemctl stop user-$(id -u {name}).slice"
    yield Fix(("rootless-linger",), says, undo, commands=(service_account.lingering(name),))


def _security_fixes(facts: ReadinessFacts) -> Iterator[Fix]:
    if facts.security is None:
        return
    # semanage accepts only -a for a port without a type and only -m for one with a type; -m also works after
    # -a.
    for port in facts.security.unlabelled(facts.proxies.ports if facts.proxies else ()):
        label = ("-t", "http_port_t", "-p", "tcp", str(port))
        add, modify = ("semanage", "port", "-a", *label), ("semanage", "port", "-m", *label)
        says, undo = f"give TCP port {port} the SELinux type http_port_t", f"semanage port -d -p tcp {port}"
        yield Fix(("selinux-proxy-port",), says, undo, may_fail=add, commands=(modify,))
    # Only the frontends are changed: nftables rules depend on an order that only their author knows.
    wall = facts.security.firewall
    if wall.kind not in ("firewalld", "ufw"):
        return
    for protocol in ("tcp", "udp"):
        opened = OpenedPort(wall.kind, facts.settings.port, protocol, wall.forwarded)
        says = f"let {opened.port}/{protocol} in at {wall.kind}, until the gateway is uninstalled"
        undo = ", then ".join(map(" ".join, opened.closing))
        yield Fix((f"firewall-{protocol}",), says, undo, commands=opened.opening, opened=opened)


def _service_fixes(facts: ReadinessFacts) -> Iterator[Fix]:
    chosen = None if facts.engine is None else chosen_engine(facts.settings, facts.engine)
    # Podman has no daemon to start.
    docker = chosen is not None and chosen.name == "docker"
    auditd = facts.security is not None and facts.security.auditd == "inactive"
    for check, unit, can_start in (
        ("engine-running", "docker.service", docker),
        ("auditd", "auditd.service", auditd),
    ):
        if can_start:
            says, undo = f"start {unit}, now and at boot", f"systemctl disable --now {unit}"
            yield Fix((check,), says, undo, commands=(("systemctl", "enable", "--now", unit),))


def apply(chosen: Sequence[Fix], files: Files, processes: Processes, *, live: bool) -> dict[Fix, SetupError]:
    """Make the changes; without `live` (another root) only the files. Return the failed ones with errors.

    Each fix describes its own undo.
    """
    failed: dict[Fix, SetupError] = {}
    for fix in chosen:
        try:
            if fix.path:
                # Existing lines of our file are kept, but each setting occurs only once.
                files.make_directories(fix.path.rpartition("/")[0])
                new = {*sysctl_lines("\n".join(fix.lines)), *fix.lines}
                present = (files.read(fix.path) or b"").decode("utf-8", errors="replace").splitlines()
                kept = [
                    line for line in present if line.strip() not in new and not new & set(sysctl_lines(line))
                ]
                files.write(fix.path, "".join(f"{line}\n" for line in (*kept, *fix.lines)).encode())
            if fix.opened and live:
                put_on_record(files, fix.opened)
            if fix.may_fail and live:
                processes.run(fix.may_fail, timeout=_SECONDS, check=False)
            for command in fix.commands if live else ():
                processes.run(command, timeout=_SECONDS)
        except SetupError as error:
            failed[fix] = error
    return failed
