"""Group `rootless`: requirements of a gateway under a service account; skipped for a gateway with root."""

from collections.abc import Callable

from packaging.version import Version

from mstunnel_setup.actions import service_account
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.versions import release
from mstunnel_setup.readiness.checks.host import gigabytes
from mstunnel_setup.readiness.checks.utils import chosen_engine
from mstunnel_setup.readiness.data import platforms
from mstunnel_setup.readiness.facts.host import CGROUP_V2, KernelFacts, RootlessFacts, SystemFacts
from mstunnel_setup.readiness.facts.programs import EngineFacts
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.model import Checks, Group, Verdict, passed, problem, skipped, unknown
from mstunnel_setup.readiness.sysctls import (
    CONNTRACK_MODULE_FILES,
    NAMESPACES,
    PORT_START,
    ROOTLESS,
    suffices,
)

CHECKS = Checks(Group.ROOTLESS)

_HOME = 10 * 10**9


@CHECKS.add("rootless-engine", "Engine without root")
def _engine(settings: Settings, engine: EngineFacts) -> Verdict:
    """Podman 4.9 or later; Docker is refused.

    Docker without root has no tunnel device, and older Podman cannot run the containers as units.
    """
    found = chosen_engine(settings, engine)
    least = platforms().engines["podman"].least_rootless
    if found is None or found.name == "docker":
        return problem("rootless requires Podman", hint="Install Podman {least} or later.", least=least)
    number = release(found.version)
    if number is None:
        return unknown("podman does not report its version", hint="Check `podman --version`.")
    if number < Version(least):
        return problem(
            "podman {version} is older than {least}",
            hint="Update Podman to {least} or later.",
            version=found.version,
            least=least,
        )
    return passed("podman {version}", version=found.version)


@CHECKS.add("rootless-platform", "Platform without root", "recommended")
def _platform(system: SystemFacts) -> Verdict:
    """Red Hat Enterprise Linux is 8.8 or later; the vendor names no minimum for others.

    The vendor supports gateways without root from that version on.

    Install the gateway as root, or on a newer version of the distribution.
    """
    least = platforms().least_rootless.get(system.distribution, "0")
    if (known := release(system.version)) is None or known >= Version(least):
        return passed(system.name)
    return problem(
        "{name} is older than {least}, the vendor's minimum without root",
        hint="Use {least} or later, or install the gateway as root.",
        name=system.name,
        least=least,
    )


@CHECKS.add("rootless-account", "Service account")
def _account(rootless: RootlessFacts) -> Verdict:
    """The service account `mstunnel` exists.

    The containers run as this account instead of root.

    Run `mst-readiness rootless --fix` as root. The installation creates the account as well.
    """
    if rootless.uid is not None:
        return passed(f"{rootless.account}, uid {rootless.uid}")
    return problem(
        "there is no account {account}",
        hint="Create it: `{command}`, or run with --fix.",
        fixed_by="account",
        account=rootless.account,
        command=" ".join(service_account.creation(rootless.account)),
    )


def _subordinate(
    name: service_account.IdKind, kind: str, known: Callable[[RootlessFacts], tuple[int, int]]
) -> None:
    @CHECKS.add(
        f"rootless-{name}",
        f"Subordinate ids, {name}",
        ids=service_account.IDS,
        kind=kind,
        name=name,
        who=f"{kind.capitalize()}s",
    )
    def subordinate_ids(rootless: RootlessFacts) -> Verdict:
        """{ids:,} subordinate {kind} ids.

        {who} inside the containers are mapped to these ids.

        Run `mst-readiness rootless --fix` as root, or `usermod --add-{name}s 100000-165535 mstunnel`.
        """
        found, free = known(rootless)
        if found >= service_account.IDS:
            return passed("{found} in /etc/{name}", found=found, name=name)
        return problem(
            "{found} of {wanted} for {account} in /etc/{name}",
            hint="Run `{command}`, or run with --fix.",
            fixed_by="account",
            found=found,
            wanted=service_account.IDS,
            account=rootless.account,
            name=name,
            command=" ".join(service_account.id_range(rootless.account, name, free)),
        )


_subordinate("subuid", "user", lambda facts: (facts.subuids, facts.free_subuid))
_subordinate("subgid", "group", lambda facts: (facts.subgids, facts.free_subgid))


@CHECKS.add("rootless-linger", "Linger")
def _linger(rootless: RootlessFacts) -> Verdict:
    """Linger is enabled: its containers run without a login.

    Without it the containers end when the account logs out, and do not start after a reboot.

    Run `loginctl enable-linger mstunnel`, or `mst-readiness rootless --fix` as root.
    """
    if rootless.linger:
        return passed("containers keep running after logout")
    return problem(
        "containers end at logout and do not start at boot",
        hint="Run `{command}`, or run with --fix.",
        fixed_by="account",
        command=" ".join(service_account.lingering(rootless.account)),
    )


@CHECKS.add("rootless-home", "Location of the home", "recommended")
def _home(rootless: RootlessFacts) -> Verdict:
    """The home of the account is below `/home`.

    The vendor supports an account's containers only below `/home`; elsewhere SELinux may refuse them.

    Give the account a home below `/home`: `usermod --home /home/mstunnel --move-home mstunnel`.
    """
    if f"{rootless.home}/".startswith("/home/"):
        return passed(rootless.home)
    return problem(
        "the home of {account} is {home}, not below /home",
        hint="Move it: `usermod --home /home/{account} --move-home {account}`.",
        account=rootless.account,
        home=rootless.home,
    )


@CHECKS.add("rootless-home-space", "Space for containers")
def _home_space(rootless: RootlessFacts) -> Verdict:
    """10 GB are free in its home.

    Images and containers of the account are stored in its home.

    Free 10 GB in the home of the account; `df -h` shows what is left.
    """
    seen = text("{home_free} free at {home}", home_free=gigabytes(rootless.home_free), home=rootless.home)
    if rootless.home_free >= _HOME:
        return passed(seen)
    return problem("{seen}", hint="Free 10 GB there: `df -h {home}`.", seen=seen, home=rootless.home)


@CHECKS.add("rootless-folder", "Owner of /etc/mstunnel")
def _directory(rootless: RootlessFacts) -> Verdict:
    """It owns `/etc/mstunnel`.

    The account keeps the settings of the gateway there.

    Run `chown -R mstunnel /etc/mstunnel`, with the name of the account.
    """
    if rootless.directory_owner is None:
        return skipped("/etc/mstunnel does not exist yet")
    if rootless.directory_owner == rootless.uid:
        return passed("{account} owns it", account=rootless.account)
    return problem(
        "uid {uid} owns it",
        hint="Run `chown -R {account} /etc/mstunnel`.",
        fixed_by="account",
        uid=rootless.directory_owner,
        account=rootless.account,
    )


@CHECKS.add("rootless-port", "Port below 1024")
def _port(settings: Settings, system: SystemFacts, kernel: KernelFacts, rootless: RootlessFacts) -> Verdict:
    """The gateway's port needs no root, or has an uplink.

    An account may not listen on low ports unless the kernel allows it.

    Run `sysctl -w net.ipv4.ip_unprivileged_port_start=443`, or `mst-readiness rootless --fix` as root.
    """
    if settings.port in rootless.uplinks:
        return passed("the kernel forwards port {port} to the uplink", port=settings.port)
    # Only root can see the obstacles to an uplink, and create one.
    if system.root and not rootless.uplink_obstacle:
        return passed("port {port} can have an uplink", port=settings.port)
    start = kernel.sysctls.get(PORT_START, "1024")
    if suffices(PORT_START, start, str(settings.port)):
        return passed("ports from {start} need no root", start=start)
    return problem(
        "ports below {start} need root",
        hint="Set it: `sysctl -w net.ipv4.ip_unprivileged_port_start={port}`, or run with --fix.",
        fixed_by="kernel",
        start=start,
        port=settings.port,
    )


def _sysctl(name: str, least: str, why: str) -> None:
    parameter = name.rpartition(".")[2]
    identifier = f"rootless-{parameter.replace('_', '-').removeprefix('nf-')}"
    enough = least if least == "1" else f"{least} or more"

    @CHECKS.add(identifier, f"sysctl {parameter}", name=name, enough=enough, why=why, least=least)
    def sysctl_large_enough(kernel: KernelFacts) -> Verdict:
        """`{name}` is {enough}.

        {why}

        Run `sysctl -w {name}={least}`, or `mst-readiness rootless --fix` as root.
        """
        value = kernel.sysctls.get(name)
        tracks = not (kernel.loadable | kernel.built_in).isdisjoint(CONNTRACK_MODULE_FILES)
        if suffices(name, value, least):
            return passed("{name} is {value}", name=name, value=value)
        seen = (
            text("{name} is {value}", name=name, value=value)
            if value is not None
            else text("{name} does not exist (module nf_conntrack)", name=name)
        )
        return problem(
            "{seen}",
            hint="Set it: `sysctl -w {name}={least}`, or run with --fix.",
            # The settings of a module that is not available cannot be fixed.
            fixed_by="kernel" if value is not None or "conntrack" not in name or tracks else "",
            seen=seen,
            name=name,
            least=least,
        )


for _name, _why in (
    ("net.core.somaxconn", "With a short queue, connections are lost when many devices connect at once."),
    (
        "net.netfilter.nf_conntrack_acct",
        "The gateway counts the traffic of connections; an account cannot switch that on.",
    ),
    (
        "net.netfilter.nf_conntrack_timestamp",
        "The gateway reads how long connections last; an account cannot switch that on.",
    ),
):
    _sysctl(_name, ROOTLESS[_name], _why)


@CHECKS.add("rootless-namespaces", "User namespaces")
def _namespaces(kernel: KernelFacts) -> Verdict:
    """User namespaces are allowed.

    Rootless containers run in user namespaces.
    """
    value = kernel.sysctls.get(NAMESPACES, "")
    if value not in ("", "0"):
        return passed("{name} is {value}", name=NAMESPACES, value=value)
    return problem(
        "user.max_user_namespaces is {value}",
        hint="Allow some: `sysctl -w user.max_user_namespaces=15076`.",
        value=value or text("not set"),
    )


@CHECKS.add("rootless-uplink", "Network through the kernel", "recommended")
def _uplink(settings: Settings, rootless: RootlessFacts) -> Verdict:
    """The gateway's port has an [uplink](../how-to/rootless.md#the-network) that works on this host.

    Without it a program copies each packet between the network and the gateway, which is slower.

    Remove the obstacle that the check names, then run `sudo mstunnel-setup host` and mstunnel-setup. Hosts
    that drop forwarded packets have no uplink.
    """
    if rootless.uplink_obstacle:
        return problem(
            "no uplink works for port {port}: {obstacle}",
            hint="Without one the gateway uses pasta or slirp4netns, which is slower. For one, remove the "
            "obstacle, then run `sudo mstunnel-setup host --port {port}` and mstunnel-setup.",
            port=settings.port,
            obstacle=rootless.uplink_obstacle,
        )
    if settings.port in rootless.uplinks:
        return passed("port {port} has an uplink", port=settings.port)
    return problem(
        "no uplink for port {port}: a user-mode program handles each packet, and uploads may drop to 2 "
        "Mbit/s",
        hint="Run `sudo mstunnel-setup host --port {port}`, then mstunnel-setup.",
        port=settings.port,
    )


@CHECKS.add("rootless-network", "User-mode networking", "recommended")
def _network(engine: EngineFacts) -> Verdict:
    """pasta or slirp4netns is installed.

    It connects the agent, and a gateway without an uplink.
    """
    if engine.pasta:
        return passed("pasta is installed")
    if engine.slirp4netns:
        return passed("slirp4netns is installed")
    return problem("neither pasta nor slirp4netns is installed", hint="Install passt, which provides pasta.")


@CHECKS.add("rootless-cgroup", "Control groups without root")
def _cgroup(system: SystemFacts) -> Verdict:
    """Control groups version 2.

    With version 1 an account cannot limit or restart its containers.
    """
    if system.cgroup == CGROUP_V2:
        return passed("version 2")
    return problem(
        "rootless containers need version 2 for limits",
        hint="Boot with `systemd.unified_cgroup_hierarchy=1` on the kernel command line.",
    )
