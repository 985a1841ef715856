"""Group `host`: platform, size, security and the port of the gateway."""

from collections.abc import Sequence

from mstunnel_setup.base.text import sentence, text
from mstunnel_setup.readiness.data import platforms
from mstunnel_setup.readiness.facts.host import CGROUP_V2, PortFacts, ProxyFacts, SystemFacts
from mstunnel_setup.readiness.facts.programs import SecurityFacts
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.facts.vendor import VendorFacts
from mstunnel_setup.readiness.model import Checks, Group, Verdict, passed, problem, skipped, unknown, warning

CHECKS = Checks(Group.HOST)

# The hint of several findings.
_UPGRADE = "Upgrade to a version that `mst-readiness host` lists."

# A machine sold as "4 GB" shows less to its kernel, which reserves some.
_NEARLY = 0.92
_SUPPORTED = ("x86_64", "amd64")
_BUILT = ("aarch64", "arm64")
_OURS = ("ocserv", "conmon", "docker-proxy", "rootlessport", "pasta")


def gigabytes(size: int) -> str:
    """Format a size in bytes for people, in units of 10^9 bytes."""
    return f"{size / 10**9:.1f} GB"


@CHECKS.add("root", "Rights", "recommended")
def _root(system: SystemFacts) -> Verdict:
    """Run as root; otherwise several facts are not available.

    Firewall, audit and storage can be examined by root only; the other checks are not affected.
    """
    if system.root:
        return passed("running as root")
    return problem(
        "not running as root: firewall, SELinux ports and other programs are not visible",
        hint="Run it with sudo.",
    )


@CHECKS.add("architecture", "Processor")
def _architecture(system: SystemFacts) -> Verdict:
    """64-bit AMD or Intel. With 64-bit ARM (aarch64) this is a warning.

    The vendor supports only AMD and Intel. This project builds programs and images for aarch64 too, but they
    were not tested; for other processors there are none.
    """
    if system.architecture in _SUPPORTED:
        return passed(system.architecture)
    if system.architecture in _BUILT:
        return warning(
            "this project builds for {architecture} too; the vendor does not support it and it was not "
            "tested",
            hint="Expect no support from the vendor.",
            architecture=system.architecture,
        )
    return problem(
        "the processor is {architecture}",
        hint="Use a 64-bit AMD or Intel machine.",
        architecture=system.architecture,
    )


@CHECKS.add("platform", "Supported platform", "recommended")
def _platform(system: SystemFacts) -> Verdict:
    """Distribution and version are on the vendor's list. Shows the date of the table.

    Microsoft supports the gateway only on the listed distributions; others may work.
    """
    table = platforms()
    row = table.of(system.distribution, system.version)
    if row is not None and row.vendor and row.last_listed is None:
        return passed("{name} (table of {date})", name=system.name, date=table.date)
    listed = text("not in the table")
    if row is not None:
        listed = (
            text("no longer on the vendor's list")
            if row.vendor
            else text("tested by this project, but not on the vendor's list")
        )
    return problem(
        "{name} is {listed} of {date}",
        hint="Expect no support from the vendor; `mst-readiness host` shows the list.",
        name=system.name,
        listed=listed,
        date=table.date,
    )


@CHECKS.add("platform-end", "End of platform support", "recommended")
def _platform_end(system: SystemFacts) -> Verdict:
    """Support has not ended. A platform that is only in earlier editions of the vendor's list counts as
    ended, with the date of the last one.

    A distribution without support gets no security updates, and this host faces the internet.
    """
    row = platforms().of(system.distribution, system.version)
    if row is None:
        return skipped("{name} is not in the table", name=system.name)
    if row.last_listed is not None:
        return problem(
            "support of {name} has ended: last listed on {last_listed}",
            hint=_UPGRADE,
            name=system.name,
            last_listed=row.last_listed,
        )
    if row.ended is None or row.ended >= system.today:
        until = text("supported until {ended}", ended=row.ended)
        return passed(text("supported") if row.ended is None else until)
    return problem("support of {name} ended on {ended}", hint=_UPGRADE, name=system.name, ended=row.ended)


@CHECKS.add("devices", "Devices of one server", "recommended")
def _devices(settings: Settings) -> Verdict:
    """One server is enough for `--devices`: at most 5,000 according to the table, where 40,000 need eight
    servers. Otherwise it reports how many servers are needed.

    One server can serve only that many devices; beyond that, sessions become slow or are refused.
    """
    table = platforms()
    size, servers = table.size_for(settings.devices), table.servers_for(settings.devices)
    if servers == 1:
        return passed("one server is enough for {devices} devices", devices=settings.devices)
    return problem(
        "{devices} devices need {servers} servers with {cpus} CPUs and {memory_gb} GB each",
        hint="Install that many servers in the site; --devices is the share of one server.",
        devices=settings.devices,
        servers=servers,
        cpus=size.cpus,
        memory_gb=size.memory_gb,
    )


@CHECKS.add("cpus", "Processors", "recommended")
def _cpus(settings: Settings, system: SystemFacts) -> Verdict:
    """Enough processors for `--devices`.

    Encryption takes processor time; with too few processors sessions become slow.
    """
    # Another check reports more devices than one server can serve.
    size = platforms().size_for(settings.devices)
    seen = text(
        "{cpus}, where {devices} devices need {needed}",
        cpus=system.cpus,
        devices=min(settings.devices, size.share),
        needed=size.cpus,
    )
    if system.cpus >= size.cpus:
        return passed(seen)
    return problem(seen, hint="Add CPUs to the machine.")


@CHECKS.add("memory", "Memory", "recommended")
def _memory(settings: Settings, system: SystemFacts) -> Verdict:
    """Enough memory for `--devices` (8 % less is accepted: the kernel reserves some).

    Each session takes memory; without enough of it the kernel ends the gateway.
    """
    size = platforms().size_for(settings.devices)
    seen = text(
        "{memory}, where {size} devices need {memory_gb} GB",
        memory=gigabytes(system.memory),
        size=min(settings.devices, size.share),
        memory_gb=size.memory_gb,
    )
    if system.memory >= size.memory_gb * 2**30 * _NEARLY:
        return passed(seen)
    return problem(seen, hint="Add memory to the machine.")


@CHECKS.add("disk", "Disk", "recommended")
def _disk(settings: Settings, system: SystemFacts) -> Verdict:
    """The file system of the containers is large enough.

    Images, logs and two releases during an upgrade share this file system.

    Enlarge the file system that the finding names; `df -h` shows its size.
    """
    size = platforms().size_for(settings.devices)
    seen = text(
        "{disk} for {store}, which needs {disk_gb} GB",
        disk=gigabytes(system.disk),
        store=system.store,
        disk_gb=size.disk_gb,
    )
    if system.disk >= size.disk_gb * 10**9 * _NEARLY:
        return passed(seen)
    return problem("{seen}", hint="Enlarge the file system: `df -h {store}`.", seen=seen, store=system.store)


@CHECKS.add("disk-free", "Free space")
def _disk_free(system: SystemFacts) -> Verdict:
    """5 GB are free there.

    The images could not be unpacked, and the installation would stop halfway.
    """
    seen = text("{disk_free} free for {store}", disk_free=gigabytes(system.disk_free), store=system.store)
    if system.disk_free >= 5 * 10**9:
        return passed(seen)
    return problem(seen, hint="Free 5 GB there: the images and their next version need it.")


@CHECKS.add("cgroup", "Control groups", "recommended")
def _cgroup(system: SystemFacts) -> Verdict:
    """Control groups version 2.

    With version 1 the containers run as plain units, not as Quadlet files.
    """
    if system.cgroup == CGROUP_V2:
        return passed("version 2")
    if system.cgroup == 0:
        return problem("there are none", hint="Mount /sys/fs/cgroup. In a container, pass it through.")
    return problem(
        "version 1, which Quadlet does not support",
        hint="The installation writes plain units instead. For Quadlet boot with "
        "`systemd.unified_cgroup_hierarchy=1` on the kernel command line.",
    )


@CHECKS.add("systemd", "systemd", "recommended")
def _systemd(system: SystemFacts) -> Verdict:
    """systemd is process 1.

    systemd starts the containers after a reboot and runs the monitor. Without it, your init system must do
    both.
    """
    if system.systemd:
        return passed("systemd runs this host")
    return problem(
        "systemd does not run this host",
        hint="Have your init system do what the engine does not do at boot: `mst-cli help "
        "without-systemd` lists it.",
    )


@CHECKS.add("selinux", "SELinux", "info")
def _selinux(security: SecurityFacts, settings: Settings) -> Verdict:
    """SELinux is enforcing, or not used. If it is enforcing, its booleans `virt_sandbox_use_netlink` and,
    without root, `container_use_devices` are on.

    SELinux confines a compromised container. Permissive mode only logs.
    """
    if security.selinux == "permissive":
        return problem(
            "permissive: violations are only logged",
            hint="When no violations are logged: `setenforce 1`, and SELINUX=enforcing in "
            "/etc/selinux/config.",
        )
    # With root the engine creates the container's own device node; without, it bind-mounts the host's.
    kept = settings.mode == "rootless" and security.container_devices is False
    if security.selinux == "enforcing" and kept:
        return problem(
            "enforcing: a rootless container cannot open /dev/net/tun",
            hint="Run `setsebool -P container_use_devices on`; it applies to all containers on this host.",
        )
    # After each connection ocserv reads the queue length of its security module (sockdiag.c, rate-limit-ms).
    if security.selinux == "enforcing" and security.container_netlink is False:
        return problem(
            "enforcing: the gateway cannot measure its load, and accepts at most ten connections a second",
            hint="Run `setsebool -P virt_sandbox_use_netlink on`, which applies to all containers on this "
            "host, and have the module unix_diag loaded at boot (modules-load.d).",
        )
    return passed({"enforcing": "enforcing", "absent": text("not used here")}[security.selinux])


@CHECKS.add("selinux-proxy-port", "SELinux and the proxy's port")
def _selinux_proxy_port(security: SecurityFacts, proxies: ProxyFacts) -> Verdict:
    """With SELinux and a proxy: the proxy's port is of type `http_port_t`.

    SELinux lets containers connect only to ports of this type, so the agent could not use the proxy.
    """
    named = proxies.ports
    if security.selinux != "enforcing" or not named:
        return skipped(
            text("no proxy") if security.selinux == "enforcing" else text("SELinux does not enforce")
        )
    if security.proxy_ports is None:
        return unknown(
            "the port types cannot be read",
            hint="Install semanage (`dnf install policycoreutils-python-utils`), and run this as root.",
        )
    missing = security.unlabelled(named)
    if not missing:
        return passed("{named} is of type http_port_t", named=_list(named))
    commands = ", ".join(f"`semanage port -a -t http_port_t -p tcp {port}`" for port in missing)
    return problem(
        "{missing} is not of type http_port_t",
        fixed_by="proxy",
        hint="Run {commands} (-m in place of -a if it has a type), or run with --fix.",
        missing=_list(missing),
        commands=commands,
    )


def _list(ports: Sequence[int]) -> str:
    return text("port {ports}", ports=", ".join(map(str, ports)))


def _port_free(protocol: str, why: str) -> None:
    upper = protocol.upper()

    @CHECKS.add(f"port-{protocol}", f"{upper} port of the gateway", upper=upper, why=why)
    def port_free(settings: Settings, ports: PortFacts) -> Verdict:
        """No other program listens on the gateway's {upper} port. A container's forwarder is accepted.

        {why}
        """
        held = [item for item in ports.holders if item.protocol == protocol]
        others = [item for item in held if item.program not in _OURS]
        if not held:
            return passed("{upper} {port} is free", upper=upper, port=settings.port)
        if not others:
            return passed(
                "{upper} {port} is used by {program}, part of a container",
                upper=upper,
                port=settings.port,
                program=held[0].program,
            )
        name = others[0].program or text("a program visible only to root")
        return problem(
            "{protocol} {port} is in use by {name} ({address})",
            hint="Stop that program (`ss -lptun` shows it), or give the server configuration another port.",
            protocol=upper,
            port=settings.port,
            name=name,
            address=others[0].address,
        )


_port_free("tcp", "Two programs cannot listen on one port: the gateway would not start.")
_port_free(
    "udp", "Without UDP the data channel falls back to TCP, which is slower; a port in use stops the gateway."
)


@CHECKS.add("vendor-gateway", "Microsoft's own gateway")
def _vendor_gateway(vendor: VendorFacts) -> Verdict:
    """No programs, units or containers of Microsoft's own Tunnel Gateway are installed.

    Both gateways use the same names, the same port and /etc/mstunnel: side by side, neither would work.
    """
    if not vendor.signs:
        return passed("not installed")
    return problem(
        "{signs}",
        hint="Take it over: `mstunnel-setup adopt plan`.",
        fixed_by="adopt",
        signs=", ".join(vendor.signs),
    )


def _firewall(protocol: str, why: str) -> None:
    opened = f"443/{protocol}"
    upper = protocol.upper()

    @CHECKS.add(
        f"firewall-{protocol}",
        f"Firewall of the host, {upper}",
        "recommended",
        upper=upper,
        why=why,
        opened=opened,
    )
    def firewall_open(settings: Settings, security: SecurityFacts) -> Verdict:
        """firewalld (all active zones), ufw or nftables allows the {upper} port; where the host forwards it
        to the gateway (any with root, and one with an uplink), no rule of nftables drops that. Rules that are
        too complex, or cannot be read, give "unknown".

        {why}

        Run `mst-readiness --fix`; with firewalld `firewall-cmd --permanent --add-port={opened}`, then
        `firewall-cmd --add-port={opened}`; with ufw `ufw allow {opened}`.
        """
        wall = security.firewall
        is_open, values = getattr(wall, protocol), {"kind": wall.kind, "port": f"{upper} {settings.port}"}
        where = text("{kind} and {port}", **values)
        if wall.forwarded:
            where = text("{kind} and {port}, forwarded to the gateway", **values)
        if wall.kind == "none":
            if wall.forwarded:
                return passed("no rule of nftables drops what is forwarded to the gateway")
            return passed("no firewall is active")
        if is_open is None:
            return unknown(
                "{where}: the rules cannot be evaluated",
                hint="Make sure {protocol} {port} is allowed.",
                where=where,
                protocol=upper,
                port=settings.port,
            )
        if is_open:
            return passed("{where}: allowed", where=where)
        remedies = _LET_THROUGH if wall.forwarded else _OPEN
        remedy = sentence(remedies[wall.kind], {"port": settings.port, "protocol": protocol})
        return warning("{where}: not allowed", hint="{remedy}", where=where, remedy=remedy)


_firewall("tcp", "Devices cannot connect through a closed port. No step opens the firewall of the host.")
_firewall("udp", "Without UDP the data channel falls back to TCP, which is slower.")


_OPEN = {
    "firewalld": text(
        "Run `firewall-cmd --permanent --add-port={port}/{protocol}` and `firewall-cmd "
        "--add-port={port}/{protocol}`."
    ),
    "ufw": text("Run `ufw allow {port}/{protocol}`."),
    "nftables": text("Add a rule such as `{protocol} dport {port} accept` to the chain of hook input."),
}
_LET_THROUGH = {
    "ufw": text("Run `ufw route allow proto {protocol} to any port {port}`."),
    "nftables": text(
        "Add the rule `ct status dnat accept` to each chain of hook forward that drops by default."
    ),
}
