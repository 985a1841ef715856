"""Fixes: reversible changes that a person is shown before they are made."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mstunnel_setup.actions import accounts
from mstunnel_setup.actions.firewall import OpenedPort, put_on_record
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.text import text
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.facts.firewall import Firewall
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
    """One change: the checks it fixes, the file that gets `lines`, the commands that make it so now.

    `may_fail` is a command to run before them, whatever comes of it; `says` and `undo` are for people: what
    will be done, and how to take it back. `opened` is a port that an uninstallation closes again.
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
    """The fixes for the findings that have one."""
    broken = {item.id for item in findings if item.result in _PROBLEMS}
    return (
        *_module_fixes(broken),
        *_conntrack_fixes(broken, facts.kernel),
        *_sysctl_fixes(broken, facts.settings),
        *_account_fixes(broken, facts.rootless),
        *_selinux_fixes(broken, facts),
        *_firewall_fixes(broken, facts),
        *_service_fixes(broken, facts),
    )


def _module_fixes(broken: set[str]) -> Iterable[Fix]:
    for module, path in MODULE_FILES.items():
        now, boot = f"module-{module.replace('_', '-')}", f"module-{module.replace('_', '-')}-boot"
        if now in broken:
            undo = f"modprobe -r {module}"
            yield Fix((now,), f"load the module {module}", undo, commands=(("modprobe", module),))
        if boot in broken:
            says = f"write {path}, which loads {module} at boot"
            yield Fix((boot,), says, f"rm {path}", path, (module,))


def _conntrack_fixes(broken: set[str], kernel: KernelFacts | None) -> Iterable[Fix]:
    """The settings of a module are there once it is."""
    settings = ("rootless-conntrack-acct", "rootless-conntrack-timestamp")
    fixed = tuple(name for name in settings if name in broken)
    for module, path in CONNTRACK_MODULE_FILES.items():
        if fixed and kernel is not None and module not in kernel.modules and module in kernel.loadable:
            says, undo = f"load the module {module}, now and at boot", f"rm {path}, and modprobe -r {module}"
            yield Fix(fixed, says, undo, path, (module,), commands=(("modprobe", module),))


def _account_fixes(broken: set[str], rootless: RootlessFacts | None) -> Iterable[Fix]:
    """What the account step of an installation does, by the same commands; useradd(8) also gives the ids."""
    if rootless is None:
        return
    name = rootless.account
    free: Mapping[accounts.IdKind, int] = {"subuid": rootless.free_subuid, "subgid": rootless.free_subgid}
    if "rootless-account" in broken:
        fixed = ("rootless-account", *(f"rootless-{kind}" for kind in free))
        undo = f"userdel --remove {name}"
        yield Fix(fixed, f"create the account {name}", undo, commands=(accounts.creation(name),))
    else:
        for kind, first in free.items():
            if f"rootless-{kind}" in broken:
                undo = " ".join(accounts.id_range(name, kind, first, "del"))
                says, command = f"give {name} ids in /etc/{kind}", accounts.id_range(name, kind, first)
                yield Fix((f"rootless-{kind}",), says, undo, commands=(command,))
    if "rootless-linger" in broken:
        says = text("let the services of {name} run without a login", name=name)
        undo = f"loginctl disable-linger {name}"
        yield Fix(("rootless-linger",), says, undo, commands=(accounts.lingering(name),))


def _sysctl_fixes(broken: set[str], settings: Settings) -> Iterable[Fix]:
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
    if lines:
        says = f"write {SYSCTL_FILE} ({'; '.join(lines)}) and apply it"
        undo = f"rm {SYSCTL_FILE}, and start the host again"
        yield Fix(fixed, says, undo, SYSCTL_FILE, lines, commands=(("sysctl", f"--load={SYSCTL_FILE}"),))


def _selinux_fixes(broken: set[str], facts: ReadinessFacts) -> Iterable[Fix]:
    """A port without a type takes -a only, one that has a type -m only; -m also takes what -a has made."""
    if "selinux-proxy-port" not in broken or facts.security is None or facts.proxies is None:
        return
    for port in facts.security.unlabelled(facts.proxies.ports):
        label = ("-t", "http_port_t", "-p", "tcp", str(port))
        add, modify = ("semanage", "port", "-a", *label), ("semanage", "port", "-m", *label)
        says, undo = f"give TCP port {port} the SELinux type http_port_t", f"semanage port -d -p tcp {port}"
        yield Fix(("selinux-proxy-port",), says, undo, may_fail=add, commands=(modify,))


def _firewall_fixes(broken: set[str], facts: ReadinessFacts) -> Iterable[Fix]:
    """The frontends only: rules of nftables depend on an order that only their author knows."""
    for protocol in ("tcp", "udp"):
        wall = Firewall() if facts.security is None else facts.security.firewall
        if f"firewall-{protocol}" not in broken or wall.kind not in ("firewalld", "ufw"):
            continue
        opened = OpenedPort(wall.kind, facts.settings.port, protocol, wall.forwarded)
        says = f"let {opened.port}/{protocol} in at {wall.kind}, until the gateway is uninstalled"
        undo = ", then ".join(map(" ".join, opened.closing))
        yield Fix((f"firewall-{protocol}",), says, undo, commands=opened.opening, opened=opened)


def _service_fixes(broken: set[str], facts: ReadinessFacts) -> Iterable[Fix]:
    chosen = None if facts.engine is None else chosen_engine(facts.settings, facts.engine)
    # Podman has no daemon to start.
    docker = chosen is not None and chosen.name == "docker"
    auditd = facts.security is not None and facts.security.auditd == "inactive"
    for check, unit, can_start in (
        ("engine-running", "docker.service", docker),
        ("auditd", "auditd.service", auditd),
    ):
        if check in broken and can_start:
            says, undo = f"start {unit}, now and at boot", f"systemctl disable --now {unit}"
            yield Fix((check,), says, undo, commands=(("systemctl", "enable", "--now", unit),))


def apply(chosen: Sequence[Fix], files: Files, processes: Processes, *, live: bool) -> dict[Fix, SetupError]:
    """Make the changes; without `live` (another root) only the files. Returns those that failed, and why.

    How to undo them, each says for itself.
    """
    failed: dict[Fix, SetupError] = {}
    for fix in chosen:
        try:
            if fix.path:
                _write(files, fix)
            if fix.opened and live:
                put_on_record(files, fix.opened)
            if fix.may_fail and live:
                processes.run(fix.may_fail, timeout=_SECONDS, check=False)
            for command in fix.commands if live else ():
                processes.run(command, timeout=_SECONDS)
        except SetupError as error:
            failed[fix] = error
    return failed


def _write(files: Files, fix: Fix) -> None:
    """Keep the lines a file of ours already has; a setting is there once."""
    files.make_directories(fix.path.rpartition("/")[0])
    new = {*sysctl_lines("\n".join(fix.lines)), *fix.lines}
    present = (files.read(fix.path) or b"").decode("utf-8", errors="replace").splitlines()
    kept = [line for line in present if line.strip() not in new and not new & set(sysctl_lines(line))]
    files.write(fix.path, "".join(f"{line}\n" for line in (*kept, *fix.lines)).encode())
