"""Group `rootless`: what a gateway under a service account needs; skipped for a gateway with root."""

from collections.abc import Callable

from packaging.version import Version

from mstunnel_setup.actions import accounts
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.versions import release
from mstunnel_setup.readiness import findings_rootless
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
from mstunnel_setup.readiness.model import Checks, Group, Severity, Verdict, passed, skipped
from mstunnel_setup.readiness.sysctls import NAMESPACES, PORT_START, ROOTLESS, suffices

CHECKS = Checks(Group.ROOTLESS)

_HOME = 10 * 10**9


@CHECKS.add("rootless-engine", "Engine without root", passes="Podman 4.9 or later; Docker is refused.")
def _engine(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    least = platforms().engines["podman"].least_rootless
    if found is None or found.name == "docker":
        return findings_rootless.PODMAN_MISSING(least=least)
    number, bound = release(found.version), release(least)
    if number is None or bound is None:
        return findings_rootless.PODMAN_VERSION_UNKNOWN()
    if number < bound:
        return findings_rootless.PODMAN_OLD(version=found.version, least=least)
    return passed(text("podman {version}", version=found.version))


@CHECKS.add(
    "rootless-platform",
    "Platform without root",
    Severity.RECOMMENDED,
    passes="Red Hat Enterprise Linux is 8.8 or later; the vendor names no minimum for others.",
)
def _platform(system: SystemFacts) -> Verdict:
    least = platforms().least_rootless.get(system.distribution, "0")
    if (known := release(system.version)) is None or known >= Version(least):
        return passed(system.name)
    return findings_rootless.ROOTLESS_PLATFORM_OLD(name=system.name, least=least)


@CHECKS.add("rootless-account", "Service account", passes="The service account `mstunnel` exists.")
def _account(rootless: RootlessFacts) -> Verdict:
    if rootless.uid is not None:
        return passed(f"{rootless.account}, uid {rootless.uid}")
    return findings_rootless.ACCOUNT_MISSING(
        account=rootless.account, command=" ".join(accounts.creation(rootless.account))
    )


def _subordinate(name: accounts.IdKind, kind: str, known: Callable[[RootlessFacts], tuple[int, int]]) -> None:
    @CHECKS.add(
        f"rootless-{name}",
        f"Subordinate ids, {name}",
        passes=f"{accounts.IDS:,} subordinate {kind} ids.",
    )
    def subordinate_ids(rootless: RootlessFacts) -> Verdict:
        found, free = known(rootless)
        if found >= accounts.IDS:
            return passed(text("{found} in /etc/{name}", found=found, name=name))
        return findings_rootless.SUBORDINATE_IDS_MISSING(
            found=found,
            wanted=accounts.IDS,
            account=rootless.account,
            name=name,
            command=" ".join(accounts.id_range(rootless.account, name, free)),
        )


_subordinate("subuid", "user", lambda facts: (facts.subuids, facts.free_subuid))
_subordinate("subgid", "group", lambda facts: (facts.subgids, facts.free_subgid))


@CHECKS.add("rootless-linger", "Linger", passes="Its containers run without a login.")
def _linger(rootless: RootlessFacts) -> Verdict:
    if rootless.linger:
        return passed(text("containers keep running after logout"))
    return findings_rootless.LINGER_OFF(command=" ".join(accounts.lingering(rootless.account)))


@CHECKS.add(
    "rootless-home",
    "Place of the home",
    Severity.RECOMMENDED,
    passes="The home of the account is below `/home`.",
)
def _home(rootless: RootlessFacts) -> Verdict:
    if f"{rootless.home}/".startswith("/home/"):
        return passed(rootless.home)
    return findings_rootless.HOME_ELSEWHERE(account=rootless.account, home=rootless.home)


@CHECKS.add("rootless-home-space", "Space for containers", passes="10 GB are free in its home.")
def _home_space(rootless: RootlessFacts) -> Verdict:
    seen = text("{home_free} free at {home}", home_free=gigabytes(rootless.home_free), home=rootless.home)
    if rootless.home_free >= _HOME:
        return passed(seen)
    return findings_rootless.HOME_FULL(seen=seen, home=rootless.home)


@CHECKS.add("rootless-folder", "Owner of /etc/mstunnel", passes="It owns `/etc/mstunnel`.")
def _directory(rootless: RootlessFacts) -> Verdict:
    if rootless.directory_owner is None:
        return skipped(text("/etc/mstunnel does not exist yet"))
    if rootless.directory_owner == rootless.uid:
        return passed(text("{account} owns it", account=rootless.account))
    return findings_rootless.DIRECTORY_OWNER(uid=rootless.directory_owner, account=rootless.account)


@CHECKS.add("rootless-port", "Port below 1024", passes="The gateway's port needs no root, or has an uplink.")
def _port(settings: Settings, system: SystemFacts, kernel: KernelFacts, rootless: RootlessFacts) -> Verdict:
    if settings.port in rootless.uplinks:
        return passed(text("the kernel forwards port {port} to the uplink", port=settings.port))
    # Without root nobody sees what stands against an uplink, nor makes one.
    if system.root and not rootless.uplink_obstacle:
        return passed(text("port {port} can have an uplink", port=settings.port))
    start = kernel.sysctls.get(PORT_START, "1024")
    if suffices(PORT_START, start, str(settings.port)):
        return passed(text("ports from {start} need no root", start=start))
    return findings_rootless.PORT_NEEDS_ROOT(start=start, port=settings.port)


def _sysctl(name: str, least: str) -> None:
    parameter = name.rpartition(".")[2]

    @CHECKS.add(
        f"rootless-{parameter.replace('_', '-').removeprefix('nf-')}",
        f"sysctl {parameter}",
        passes=f"`{name}` is {least}{'' if least == '1' else ' or more'}.",
    )
    def sysctl_large_enough(kernel: KernelFacts) -> Verdict:
        value = kernel.sysctls.get(name)
        if suffices(name, value, least):
            return passed(f"{name} is {value}")
        seen = (
            f"{name} is {value}"
            if value is not None
            else text("{name} does not exist (module nf_conntrack)", name=name)
        )
        return findings_rootless.SYSCTL_TOO_SMALL(seen=seen, name=name, least=least)


for _name, _least in ROOTLESS.items():
    _sysctl(_name, _least)


@CHECKS.add("rootless-namespaces", "User namespaces", passes="User namespaces are allowed.")
def _namespaces(kernel: KernelFacts) -> Verdict:
    value = kernel.sysctls.get(NAMESPACES, "")
    if value not in ("", "0"):
        return passed(f"{NAMESPACES} is {value}")
    return findings_rootless.NAMESPACES_OFF(value=value or text("not set"))


@CHECKS.add(
    "rootless-uplink",
    "Network through the kernel",
    Severity.RECOMMENDED,
    passes="The gateway's port has an [uplink](../how-to/rootless.md#the-network) that works on this host.",
)
def _uplink(settings: Settings, rootless: RootlessFacts) -> Verdict:
    if rootless.uplink_obstacle:
        return findings_rootless.UPLINK_OBSTRUCTED(port=settings.port, obstacle=rootless.uplink_obstacle)
    if settings.port in rootless.uplinks:
        return passed(text("port {port} has an uplink", port=settings.port))
    return findings_rootless.UPLINK_MISSING(port=settings.port)


@CHECKS.add(
    "rootless-network",
    "User-mode networking",
    Severity.RECOMMENDED,
    passes="pasta or slirp4netns is installed.",
)
def _network(engine: EngineFacts) -> Verdict:
    if engine.pasta:
        return passed(text("pasta is installed"))
    if engine.slirp4netns:
        return passed(text("slirp4netns is installed"))
    return findings_rootless.USER_NETWORK_MISSING()


@CHECKS.add("rootless-cgroup", "Control groups without root", passes="Control groups version 2.")
def _cgroup(system: SystemFacts) -> Verdict:
    if system.cgroup == CGROUP_V2:
        return passed(text("version 2"))
    return findings_rootless.CGROUP_ROOTLESS()
