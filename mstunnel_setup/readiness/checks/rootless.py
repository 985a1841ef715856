"""Group `rootless`: what a gateway under a service account needs; skipped for a gateway with root."""

from collections.abc import Callable

from packaging.version import Version

from mstunnel_setup.containers.versions import release
from mstunnel_setup.readiness import findings
from mstunnel_setup.readiness.checks.host import gigabytes
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.data import platforms
from mstunnel_setup.readiness.facts import (
    CGROUP_V2,
    EngineFacts,
    KernelFacts,
    RootlessFacts,
    Settings,
    SystemFacts,
)
from mstunnel_setup.readiness.model import Check, Group, Severity, Verdict, check, passed, skipped
from mstunnel_setup.readiness.sysctls import NAMESPACES, PORT_START, ROOTLESS, suffices
from mstunnel_setup.system import accounts

_HOME = 10 * 10**9


@check(
    "rootless-engine", Group.ROOTLESS, "Engine without root", passes="Podman 4.9 or later; Docker is refused."
)
def _engine(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    least = platforms().engines["podman"].least_rootless
    if found is None or found.name == "docker":
        return findings.PODMAN_MISSING(least=least)
    number, bound = release(found.version), release(least)
    if number is None or bound is None:
        return findings.PODMAN_VERSION_UNKNOWN()
    if number < bound:
        return findings.PODMAN_OLD(version=found.version, least=least)
    return passed(f"podman {found.version}")


@check("rootless-account", Group.ROOTLESS, "Service account", passes="The service account `mstunnel` exists.")
def _account(rootless: RootlessFacts) -> Verdict:
    if rootless.uid is not None:
        return passed(f"{rootless.account}, uid {rootless.uid}")
    return findings.ACCOUNT_MISSING(
        account=rootless.account, command=" ".join(accounts.creation(rootless.account))
    )


def _subordinate(
    name: accounts.IdKind, kind: str, known: Callable[[RootlessFacts], tuple[int, int]]
) -> Check:
    @check(
        f"rootless-{name}",
        Group.ROOTLESS,
        f"Subordinate ids, {name}",
        passes=f"{accounts.IDS:,} subordinate {kind} ids.",
    )
    def subordinate_ids(rootless: RootlessFacts) -> Verdict:
        found, free = known(rootless)
        if found >= accounts.IDS:
            return passed(f"{found} in /etc/{name}")
        return findings.SUBORDINATE_IDS_MISSING(
            found=found,
            wanted=accounts.IDS,
            account=rootless.account,
            name=name,
            command=" ".join(accounts.id_range(rootless.account, name, free)),
        )

    return subordinate_ids


@check("rootless-linger", Group.ROOTLESS, "Linger", passes="Its containers run without a login.")
def _linger(rootless: RootlessFacts) -> Verdict:
    if rootless.linger:
        return passed("containers keep running after logout")
    return findings.LINGER_OFF(command=" ".join(accounts.lingering(rootless.account)))


@check(
    "rootless-platform",
    Group.ROOTLESS,
    "Platform without root",
    Severity.RECOMMENDED,
    passes="Red Hat Enterprise Linux is 8.8 or later; the vendor names no minimum for others.",
)
def _platform(system: SystemFacts) -> Verdict:
    least = platforms().least_rootless.get(system.distribution, "0")
    if (known := release(system.version)) is None or known >= Version(least):
        return passed(system.name)
    return findings.ROOTLESS_PLATFORM_OLD(name=system.name, least=least)


@check(
    "rootless-home",
    Group.ROOTLESS,
    "Place of the home",
    Severity.RECOMMENDED,
    passes="The home of the account is below `/home`.",
)
def _home(rootless: RootlessFacts) -> Verdict:
    if f"{rootless.home}/".startswith("/home/"):
        return passed(rootless.home)
    return findings.HOME_ELSEWHERE(account=rootless.account, home=rootless.home)


@check("rootless-home-space", Group.ROOTLESS, "Space for containers", passes="10 GB are free in its home.")
def _home_space(rootless: RootlessFacts) -> Verdict:
    seen = f"{gigabytes(rootless.home_free)} free at {rootless.home}"
    if rootless.home_free >= _HOME:
        return passed(seen)
    return findings.HOME_FULL(seen=seen, home=rootless.home)


@check("rootless-folder", Group.ROOTLESS, "Owner of /etc/mstunnel", passes="It owns `/etc/mstunnel`.")
def _directory(rootless: RootlessFacts) -> Verdict:
    if rootless.directory_owner is None:
        return skipped("/etc/mstunnel does not exist yet")
    if rootless.directory_owner == rootless.uid:
        return passed(f"{rootless.account} owns it")
    return findings.DIRECTORY_OWNER(uid=rootless.directory_owner, account=rootless.account)


@check("rootless-port", Group.ROOTLESS, "Port below 1024", passes="The gateway's port needs no root.")
def _port(settings: Settings, kernel: KernelFacts) -> Verdict:
    start = kernel.sysctls.get(PORT_START, "1024")
    if suffices(PORT_START, start, str(settings.port)):
        return passed(f"ports from {start} need no root")
    return findings.PORT_NEEDS_ROOT(start=start, port=settings.port)


def _sysctl(name: str, least: str) -> Check:
    parameter = name.rpartition(".")[2]

    @check(
        f"rootless-{parameter.replace('_', '-').removeprefix('nf-')}",
        Group.ROOTLESS,
        f"sysctl {parameter}",
        passes=f"`{name}` is {least}{'' if least == '1' else ' or more'}.",
    )
    def sysctl_large_enough(kernel: KernelFacts) -> Verdict:
        value = kernel.sysctls.get(name)
        if suffices(name, value, least):
            return passed(f"{name} is {value}")
        seen = f"{name} is {value}" if value is not None else f"{name} does not exist (module nf_conntrack)"
        return findings.SYSCTL_TOO_SMALL(seen=seen, name=name, least=least)

    return sysctl_large_enough


@check("rootless-namespaces", Group.ROOTLESS, "User namespaces", passes="User namespaces are allowed.")
def _namespaces(kernel: KernelFacts) -> Verdict:
    value = kernel.sysctls.get(NAMESPACES, "")
    if value not in ("", "0"):
        return passed(f"{NAMESPACES} is {value}")
    return findings.NAMESPACES_OFF(value=value or "not set")


@check(
    "rootless-uplink",
    Group.ROOTLESS,
    "Network through the kernel",
    Severity.RECOMMENDED,
    passes="The gateway's port has an [uplink](../how-to/rootless.md#the-network) that works on this host.",
)
def _uplink(settings: Settings, rootless: RootlessFacts) -> Verdict:
    if rootless.uplink_obstacle:
        return findings.UPLINK_OBSTRUCTED(port=settings.port, obstacle=rootless.uplink_obstacle)
    if settings.port in rootless.uplinks:
        return passed(f"port {settings.port} has an uplink")
    return findings.UPLINK_MISSING(port=settings.port)


@check(
    "rootless-network",
    Group.ROOTLESS,
    "User-mode networking",
    Severity.RECOMMENDED,
    passes="pasta or slirp4netns is installed.",
)
def _network(engine: EngineFacts) -> Verdict:
    if engine.pasta:
        return passed("pasta is installed")
    if engine.slirp4netns:
        return passed("slirp4netns is installed")
    return findings.USER_NETWORK_MISSING()


@check("rootless-cgroup", Group.ROOTLESS, "Control groups without root", passes="Control groups version 2.")
def _cgroup(system: SystemFacts) -> Verdict:
    if system.cgroup == CGROUP_V2:
        return passed("version 2")
    return findings.CGROUP_ROOTLESS()


CHECKS: tuple[Check, ...] = (
    _engine,
    _platform,
    _account,
    _subordinate("subuid", "user", lambda facts: (facts.subuids, facts.free_subuid)),
    _subordinate("subgid", "group", lambda facts: (facts.subgids, facts.free_subgid)),
    _linger,
    _home,
    _home_space,
    _directory,
    _port,
    *(_sysctl(name, least) for name, least in ROOTLESS.items()),
    _namespaces,
    _uplink,
    _network,
    _cgroup,
)
