"""Group `host`: platform, size, security and the port of the gateway."""

from collections.abc import Sequence

from mstunnel_setup.readiness import proxy_ports
from mstunnel_setup.readiness.data import Size, platforms
from mstunnel_setup.readiness.facts import PortFacts, ProxyFacts, SecurityFacts, Settings, SystemFacts
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
    warning,
)
from mstunnel_setup.readiness.text import gigabytes

_RECOMMENDED = Severity.RECOMMENDED
# A machine sold as "4 GB" shows less to its kernel, which keeps some for itself.
_NEARLY = 0.92
_UPGRADE = "Upgrade to a version that `mst-readiness host` lists."
_ARCHITECTURES = ("x86_64", "amd64")
_OURS = ("ocserv", "conmon", "docker-proxy", "rootlessport", "pasta")


@check("root", Group.HOST, "Rights", _RECOMMENDED)
def _root(system: SystemFacts) -> Verdict:
    if system.root:
        return passed("running as root")
    return problem(
        "not running as root: firewall, SELinux ports and other programs are not visible", "Run it with sudo."
    )


@check("architecture", Group.HOST, "Processor")
def _architecture(system: SystemFacts) -> Verdict:
    if system.architecture in _ARCHITECTURES:
        return passed(system.architecture)
    return problem(f"the processor is {system.architecture}", "Use a 64-bit AMD or Intel machine.")


@check("platform", Group.HOST, "Supported platform", _RECOMMENDED)
def _platform(system: SystemFacts) -> Verdict:
    table = platforms()
    row = table.of(system.distribution, system.version)
    if row is not None and row.vendor and row.last_listed is None:
        return passed(f"{system.name} (table of {table.date})")
    listed = "not in the table"
    if row is not None:
        listed = f"{'no longer' if row.vendor else 'tested by this project, but not'} on the vendor's list"
    return problem(
        f"{system.name} is {listed} of {table.date}",
        "Expect no support from the vendor; `mst-readiness host` shows the list.",
    )


@check("platform-end", Group.HOST, "End of platform support", _RECOMMENDED)
def _platform_end(system: SystemFacts) -> Verdict:
    row = platforms().of(system.distribution, system.version)
    if row is None:
        return skipped(f"{system.name} is not in the table")
    if row.last_listed is not None:
        return problem(
            f"support of {system.name} has ended: last listed on {row.last_listed}",
            _UPGRADE,
        )
    if row.ended is None or row.ended >= system.today:
        return passed("supported" if row.ended is None else f"supported until {row.ended}")
    return problem(f"support of {system.name} ended on {row.ended}", _UPGRADE)


@check("devices", Group.HOST, "Devices of one server", _RECOMMENDED)
def _devices(settings: Settings) -> Verdict:
    table = platforms()
    size, servers = table.size_for(settings.devices), table.servers_for(settings.devices)
    if servers == 1:
        return passed(f"one server is enough for {settings.devices} devices")
    return problem(
        f"{settings.devices} devices need {servers} servers with {size.cpus} CPUs and {size.memory_gb} GB"
        " each",
        "Install that many servers in the site; --devices is the share of one server.",
    )


@check("cpus", Group.HOST, "Processors", _RECOMMENDED)
def _cpus(settings: Settings, system: SystemFacts) -> Verdict:
    size = platforms().size_for(settings.devices)
    seen = f"{system.cpus}, where {_served(settings, size)} devices need {size.cpus}"
    if system.cpus >= size.cpus:
        return passed(seen)
    return problem(seen, "Add CPUs to the machine.")


@check("memory", Group.HOST, "Memory", _RECOMMENDED)
def _memory(settings: Settings, system: SystemFacts) -> Verdict:
    size = platforms().size_for(settings.devices)
    seen = f"{gigabytes(system.memory)}, where {_served(settings, size)} devices need {size.memory_gb} GB"
    if system.memory >= size.memory_gb * 2**30 * _NEARLY:
        return passed(seen)
    return problem(seen, "Add memory to the machine.")


def _served(settings: Settings, size: Size) -> int:
    """The devices of this server; more than one can serve are another check's."""
    return min(settings.devices, size.share)


@check("disk", Group.HOST, "Disk", _RECOMMENDED)
def _disk(settings: Settings, system: SystemFacts) -> Verdict:
    size = platforms().size_for(settings.devices)
    seen = f"{gigabytes(system.disk)} for {system.store}, which needs {size.disk_gb} GB"
    if system.disk >= size.disk_gb * 10**9 * _NEARLY:
        return passed(seen)
    return problem(seen, f"Enlarge the file system: `df -h {system.store}`.")


@check("disk-free", Group.HOST, "Free space")
def _disk_free(system: SystemFacts) -> Verdict:
    seen = f"{gigabytes(system.disk_free)} free for {system.store}"
    if system.disk_free >= 5 * 10**9:
        return passed(seen)
    return problem(seen, "Free 5 GB there: the images and their next version need it.")


@check("cgroup", Group.HOST, "Control groups", _RECOMMENDED)
def _cgroup(system: SystemFacts) -> Verdict:
    if system.cgroup == 2:  # noqa: PLR2004 (the version)
        return passed("version 2")
    if system.cgroup == 0:
        return problem("there are none", "Mount /sys/fs/cgroup. In a container, pass it through.")
    return problem(
        "version 1, which Quadlet does not support",
        "The installation writes plain units instead. For Quadlet boot with "
        "`systemd.unified_cgroup_hierarchy=1` on the kernel command line.",
    )


@check("systemd", Group.HOST, "systemd", _RECOMMENDED)
def _systemd(system: SystemFacts) -> Verdict:
    if system.systemd:
        return passed("systemd runs this host")
    return problem(
        "systemd does not run this host",
        "The engine restarts the containers; docs/how-to/without-systemd.md lists what you must do yourself.",
    )


@check("selinux", Group.HOST, "SELinux", Severity.INFO)
def _selinux(security: SecurityFacts, settings: Settings) -> Verdict:
    if security.selinux == "permissive":
        return problem(
            "permissive: violations are only logged",
            "When no violations are logged: `setenforce 1`, and SELINUX=enforcing in /etc/selinux/config.",
        )
    # With root the engine makes a device node of the container's own; without, it shows that of the host.
    kept = settings.mode == "rootless" and security.container_devices is False
    if security.selinux == "enforcing" and kept:
        return problem(
            "enforcing: a rootless container cannot open /dev/net/tun",
            "Run `setsebool -P container_use_devices on`; it applies to all containers on this host.",
        )
    return passed({"enforcing": "enforcing", "absent": "not used here"}[security.selinux])


@check("selinux-proxy-port", Group.HOST, "SELinux and the proxy's port")
def _selinux_proxy_port(security: SecurityFacts, proxies: ProxyFacts) -> Verdict:
    named = proxy_ports.ports(proxies)
    if security.selinux != "enforcing" or not named:
        return skipped("no proxy" if security.selinux == "enforcing" else "SELinux does not enforce")
    if security.proxy_ports is None:
        return unknown(
            "the port types cannot be read",
            "Install semanage (`dnf install policycoreutils-python-utils`), and run this as root.",
        )
    missing = proxy_ports.unlabelled(security, proxies)
    if not missing:
        return passed(f"{_list(named)} is of type http_port_t")
    commands = ", ".join(f"`semanage port -a -t http_port_t -p tcp {port}`" for port in missing)
    return problem(
        f"{_list(missing)} is not of type http_port_t",
        f"Run {commands} (-m in place of -a if it has a type), or run with --fix.",
    )


def _list(ports: Sequence[int]) -> str:
    return "port " + ", ".join(map(str, ports))


def _port_free(protocol: str) -> Check:
    @check(f"port-{protocol}", Group.HOST, f"{protocol.upper()} port of the gateway")
    def port_free(settings: Settings, ports: PortFacts) -> Verdict:
        held = [item for item in ports.holders if item.protocol == protocol]
        others = [item for item in held if item.program not in _OURS]
        if not held:
            return passed(f"{protocol.upper()} {settings.port} is free")
        if not others:
            return passed(
                f"{protocol.upper()} {settings.port} is used by {held[0].program}, part of a container"
            )
        name = others[0].program or "a program visible only to root"
        return problem(
            f"{protocol.upper()} {settings.port} is in use by {name} ({others[0].address})",
            "Stop that program (`ss -lptun` shows it), or give the server configuration another port.",
        )

    return port_free


def _firewall(protocol: str) -> Check:
    @check(f"firewall-{protocol}", Group.HOST, f"Firewall of the host, {protocol.upper()}", _RECOMMENDED)
    def firewall_open(settings: Settings, security: SecurityFacts) -> Verdict:
        wall = security.firewall
        is_open, where = getattr(wall, protocol), f"{wall.kind} and {protocol.upper()} {settings.port}"
        if wall.kind == "none":
            return passed("no firewall is active")
        if is_open is None:
            return unknown(
                f"{where}: the rules cannot be evaluated",
                f"Make sure {protocol.upper()} {settings.port} is allowed.",
            )
        if is_open:
            return passed(f"{where}: allowed")
        return warning(
            f"{where}: not allowed", _OPEN[wall.kind].format(port=settings.port, protocol=protocol)
        )

    return firewall_open


_OPEN = {
    "firewalld": "Run `firewall-cmd --permanent --add-port={port}/{protocol}` and `firewall-cmd --reload`.",
    "ufw": "Run `ufw allow {port}/{protocol}`.",
    "nftables": "Add a rule such as `{protocol} dport {port} accept` to the chain of hook input.",
}

CHECKS: tuple[Check, ...] = (
    _root,
    _architecture,
    _platform,
    _platform_end,
    _devices,
    _cpus,
    _memory,
    _disk,
    _disk_free,
    _cgroup,
    _systemd,
    _selinux,
    _selinux_proxy_port,
    _port_free("tcp"),
    _port_free("udp"),
    _firewall("tcp"),
    _firewall("udp"),
)
