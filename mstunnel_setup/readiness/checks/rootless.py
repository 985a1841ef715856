"""Group `rootless`: what a gateway under a service account needs. Otherwise these do not apply."""

from collections.abc import Callable

from mstunnel_setup.containers.versions import release
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.data import platforms
from mstunnel_setup.readiness.facts import EngineFacts, KernelFacts, RootlessFacts, Settings, SystemFacts
from mstunnel_setup.readiness.model import (
    Check,
    Group,
    Severity,
    Verdict,
    check,
    passed,
    problem,
    skipped,
    unknown,
)
from mstunnel_setup.readiness.sysctls import NAMESPACES, PORT_START, ROOTLESS, suffices
from mstunnel_setup.readiness.text import gigabytes
from mstunnel_setup.system import accounts

_HOME = 10 * 10**9


def _rootful(settings: Settings) -> Verdict | None:
    return None if settings.mode == "rootless" else skipped("not rootless")


@check("rootless-engine", Group.ROOTLESS, "Engine without root")
def _engine(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    least = platforms().engines["podman"].least_rootless
    if settings.mode != "rootless":
        return skipped("not rootless")
    if found is None or found.name == "docker":
        return problem("rootless requires Podman", f"Install Podman {least} or later.")
    number, bound = release(found.version), release(least)
    if number is None or bound is None:
        return unknown("podman does not report its version", "Check `podman --version`.")
    if number < bound:
        return problem(f"podman {found.version} is older than {least}", f"Update Podman to {least} or later.")
    return passed(f"podman {found.version}")


@check("rootless-account", Group.ROOTLESS, "Service account")
def _account(settings: Settings, rootless: RootlessFacts) -> Verdict:
    if rootless.uid is not None:
        return _rootful(settings) or passed(f"{rootless.account}, uid {rootless.uid}")
    return _rootful(settings) or problem(
        f"there is no account {rootless.account}",
        f"Create it: `{' '.join(accounts.creation(rootless.account))}`, or run with --fix.",
    )


def _subordinate(name: accounts.IdKind, known: Callable[[RootlessFacts], tuple[int, int]]) -> Check:
    @check(f"rootless-{name}", Group.ROOTLESS, f"Subordinate ids, {name}")
    def subordinate_ids(settings: Settings, rootless: RootlessFacts) -> Verdict:
        found, free = known(rootless)
        if found >= accounts.IDS:
            return _rootful(settings) or passed(f"{found} in /etc/{name}")
        return _rootful(settings) or problem(
            f"{found} of {accounts.IDS} for {rootless.account} in /etc/{name}",
            f"Run `{' '.join(accounts.id_range(rootless.account, name, free))}`, or run with --fix.",
        )

    return subordinate_ids


@check("rootless-linger", Group.ROOTLESS, "Linger")
def _linger(settings: Settings, rootless: RootlessFacts) -> Verdict:
    if rootless.linger:
        return _rootful(settings) or passed("containers keep running after logout")
    return _rootful(settings) or problem(
        "containers end at logout and do not start at boot",
        f"Run `{' '.join(accounts.lingering(rootless.account))}`, or run with --fix.",
    )


@check("rootless-home-space", Group.ROOTLESS, "Space for containers")
def _home_space(settings: Settings, rootless: RootlessFacts) -> Verdict:
    seen = f"{gigabytes(rootless.home_free)} free at {rootless.home}"
    if rootless.home_free >= _HOME:
        return _rootful(settings) or passed(seen)
    return _rootful(settings) or problem(seen, f"Free 10 GB there: `df -h {rootless.home}`.")


@check("rootless-folder", Group.ROOTLESS, "Owner of /etc/mstunnel")
def _folder(settings: Settings, rootless: RootlessFacts) -> Verdict:
    if settings.mode != "rootless" or rootless.folder_owner is None:
        return skipped("not rootless" if settings.mode != "rootless" else "/etc/mstunnel does not exist yet")
    if rootless.folder_owner == rootless.uid:
        return passed(f"{rootless.account} owns it")
    return problem(
        f"uid {rootless.folder_owner} owns it", f"Run `chown -R {rootless.account} /etc/mstunnel`."
    )


@check("rootless-port", Group.ROOTLESS, "Port below 1024")
def _port(settings: Settings, kernel: KernelFacts) -> Verdict:
    if settings.mode != "rootless":
        return skipped("not rootless")
    start = kernel.sysctls.get(PORT_START, "1024")
    if suffices(PORT_START, start, str(settings.port)):
        return passed(f"ports from {start} need no root")
    return problem(
        f"ports below {start} need root",
        f"Set it: `sysctl -w {PORT_START}={settings.port}`, or run with --fix.",
    )


def _sysctl(name: str, least: str) -> Check:
    @check(f"rootless-{_slug(name)}", Group.ROOTLESS, f"sysctl {name.rpartition('.')[2]}")
    def sysctl_large_enough(settings: Settings, kernel: KernelFacts) -> Verdict:
        if settings.mode != "rootless":
            return skipped("not rootless")
        value = kernel.sysctls.get(name)
        if suffices(name, value, least):
            return passed(f"{name} is {value}")
        seen = f"{name} is {value}" if value is not None else f"{name} does not exist (module nf_conntrack)"
        return problem(seen, f"Set it: `sysctl -w {name}={least}`, or run with --fix.")

    return sysctl_large_enough


def _slug(name: str) -> str:
    return name.rpartition(".")[2].replace("_", "-").removeprefix("nf-")


@check("rootless-namespaces", Group.ROOTLESS, "User namespaces")
def _namespaces(settings: Settings, kernel: KernelFacts) -> Verdict:
    if settings.mode != "rootless":
        return skipped("not rootless")
    value = kernel.sysctls.get(NAMESPACES, "")
    if value not in ("", "0"):
        return passed(f"{NAMESPACES} is {value}")
    return problem(f"{NAMESPACES} is {value or 'not set'}", f"Allow some: `sysctl -w {NAMESPACES}=15076`.")


@check("rootless-network", Group.ROOTLESS, "User-mode networking", Severity.RECOMMENDED)
def _network(settings: Settings, engine: EngineFacts) -> Verdict:
    if settings.mode != "rootless":
        return skipped("not rootless")
    if engine.pasta:
        return passed("pasta is installed")
    if engine.slirp4netns:
        return problem("slirp4netns only, which is slower", "Install passt, which provides pasta.")
    return problem("neither pasta nor slirp4netns is installed", "Install passt, which provides pasta.")


@check("rootless-cgroup", Group.ROOTLESS, "Control groups without root")
def _cgroup(settings: Settings, system: SystemFacts) -> Verdict:
    if settings.mode != "rootless":
        return skipped("not rootless")
    if system.cgroup == 2:  # noqa: PLR2004 (the version)
        return passed("version 2")
    return problem(
        "rootless containers need version 2 for limits",
        "Boot with `systemd.unified_cgroup_hierarchy=1` on the kernel command line.",
    )


CHECKS: tuple[Check, ...] = (
    _engine,
    _account,
    _subordinate("subuid", lambda facts: (facts.subuids, facts.free_subuid)),
    _subordinate("subgid", lambda facts: (facts.subgids, facts.free_subgid)),
    _linger,
    _home_space,
    _folder,
    _port,
    *(_sysctl(name, least) for name, least in ROOTLESS.items()),
    _namespaces,
    _network,
    _cgroup,
)
