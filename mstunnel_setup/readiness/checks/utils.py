"""Group `utils`: kernel, container engine and auditing, as the vendor's tool of that name checks them."""

from packaging.version import Version

from mstunnel_setup.actions.firewall import RULES
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.versions import bad_range, is_tested, release
from mstunnel_setup.readiness.data import platforms
from mstunnel_setup.readiness.facts.host import KernelFacts, SystemFacts
from mstunnel_setup.readiness.facts.programs import Engine, EngineFacts, SecurityFacts
from mstunnel_setup.readiness.facts.section import Settings
from mstunnel_setup.readiness.model import (
    Checks,
    Group,
    Requirement,
    Verdict,
    passed,
    problem,
    skipped,
    unknown,
)
from mstunnel_setup.readiness.sysctls import FORWARD, MODULE_FILES

CHECKS = Checks(Group.UTILS)

# The package manager by the ID of os-release; all other supported distributions have dnf.
_INSTALLERS = {"debian": "apt install", "ubuntu": "apt install", "sles": "zypper install"}


def chosen_engine(settings: Settings, engine: EngineFacts) -> Engine | None:
    """Return the engine an installation would use: the requested one, or else Podman, or else Docker."""
    wanted = ("podman", "docker") if settings.engine == "auto" else (settings.engine,)
    return next((item for name in wanted for item in engine.engines if item.name == name), None)


def _module(module: str, severity: Requirement, why: str, why_boot: str, more: str = "") -> None:
    name = f"module-{module.replace('_', '-')}"

    @CHECKS.add(name, f"Kernel module {module}", severity, module=module, more=more, why=why)
    def module_loaded(kernel: KernelFacts) -> Verdict:
        """The module `{module}` is available: loaded, built in, or seen in `/proc/misc`.{more}

        {why}

        Run `modprobe {module}`, or `mst-readiness --fix`. In a container, load it on the host.
        """
        if module in kernel.modules:
            return passed("{module} is loaded or built in", module=module)
        return problem(
            "{module} is not loaded",
            hint="Load it: `modprobe {module}`, or run with --fix.",
            fixed_by="kernel" if module in kernel.loadable else "",
            module=module,
        )

    file = MODULE_FILES[module]

    @CHECKS.add(
        f"{name}-boot", f"Module {module} at boot", "recommended", why=why_boot, module=module, file=file
    )
    def module_at_boot(kernel: KernelFacts) -> Verdict:
        """A file of `modules-load.d` (any name, any of its directories) or `/etc/modules` loads it at boot,
        or it is built in.

        {why}

        Run `echo {module} >{file}`, or `mst-readiness --fix`.
        """
        if module in kernel.module_files:
            return passed("{file} loads {module}", file=kernel.module_files[module], module=module)
        if module in kernel.built_in:
            return passed("{module} is built into the kernel", module=module)
        return problem(
            "no file loads {module} at boot",
            hint="Write one: `echo {module} >{file}`, or run with --fix.",
            module=module,
            file=file,
        )


_module(
    "tun",
    "required",
    "Traffic of devices reaches the gateway through a tunnel device; without this module there is none.",
    "After a reboot the module would be missing and no device could connect.",
)
_module(
    "ip_tables",
    "recommended",
    "Older container engines and the vendor's images translate addresses with it.",
    "After a reboot the module would be missing for the engines and images that need it.",
    " The gateway translates addresses with nftables and runs without it; engines with the old backend "
    "and the vendor's images need it.",
)


@CHECKS.add("tun-device", "Device /dev/net/tun")
def _tun_device(kernel: KernelFacts) -> Verdict:
    """`/dev/net/tun` exists.

    The gateway opens this device for each session; without it no device can connect.
    """
    if kernel.tun_device:
        return passed("/dev/net/tun exists")
    return problem(
        "/dev/net/tun is missing",
        hint="Load its module: `modprobe tun`. In a container, pass the device through.",
        fixed_by="kernel" if "tun" in kernel.loadable else "",
    )


@CHECKS.add("ip-forward", "IP forwarding")
def _ip_forward(kernel: KernelFacts) -> Verdict:
    """`net.ipv4.ip_forward` is 1 now.

    The host forwards the packets of devices to your network. Without forwarding it drops them.
    """
    value = kernel.sysctls.get(FORWARD)
    if value is None:
        return unknown(
            "net.ipv4.ip_forward cannot be read",
            hint="It must be 1: `sysctl net.ipv4.ip_forward` shows it.",
            fixed_by="kernel",
        )
    if value == "1":
        return passed(f"{FORWARD} is 1")
    return problem(
        "net.ipv4.ip_forward is {value}",
        hint="Set it: `sysctl -w net.ipv4.ip_forward=1`, or run with --fix.",
        fixed_by="kernel",
        value=value,
    )


@CHECKS.add("ip-forward-boot", "IP forwarding at boot", "recommended")
def _ip_forward_boot(settings: Settings, kernel: KernelFacts) -> Verdict:
    """The last file in `sysctl.d` that sets it, sets it to 1. `/etc/sysctl.conf` counts only if a link in
    `sysctl.d` points to it (Debian 13 has none), or systemd is not installed. With root it may also be on
    without a file: the container engine enables it.

    After a reboot devices would connect, and reach nothing.
    """
    file, value = kernel.sysctl_files.get(FORWARD, ("", ""))
    if value == "1":
        return passed("{file} sets {forward} to 1", file=file, forward=FORWARD)
    if not file and settings.mode != "rootless" and kernel.sysctls.get(FORWARD) == "1":
        return passed("no file sets {forward}; the container engine does", forward=FORWARD)
    seen = (
        text("{file} sets {forward} to {value}", file=file, forward=FORWARD, value=value)
        if file
        else text("no file sets {forward} at boot", forward=FORWARD)
    )
    return problem(
        seen,
        hint="Set it there: `echo net.ipv4.ip_forward=1 >>/etc/sysctl.d/90-mstunnel.conf`, or run "
        "with --fix.",
    )


@CHECKS.add("forwarding", "Forwarding for others", "recommended", rules=RULES)
def _forwarding(kernel: KernelFacts) -> Verdict:
    """The rules that limit the host's forwarding to the gateway are loaded. If the host forwarded before the
    installation, there are none, and the check reports that.

    A machine that uses this host as its router would reach every network that the host reaches.

    Load the rules: `nft --file {rules}`.
    """
    if kernel.forwarding_rules == "loaded":
        return passed("the host forwards for the gateway only")
    if kernel.forwarding_rules == "unknown":
        return skipped("only root can read the rules of nftables")
    if kernel.forwarding_rules == "unloaded":
        return problem(
            "the host forwards packets for others: the rules that limit it to the gateway are not loaded",
            hint="Load them: `nft --file {rules}`.",
            rules=RULES,
        )
    if kernel.sysctls.get(FORWARD) == "1":
        return passed(
            "{forward} is 1 without rules of ours: the host may forward for others, too", forward=FORWARD
        )
    return passed("the host does not forward")


@CHECKS.add("engine-present", "Container engine")
def _present(settings: Settings, engine: EngineFacts, system: SystemFacts) -> Verdict:
    """The requested engine, else Podman, else Docker, is installed.

    The gateway and its agent run in containers.

    Install Podman (`dnf install podman` or `apt install podman`), or Docker CE.
    """
    found = chosen_engine(settings, engine)
    if found is not None:
        return passed(f"{found.name} {found.version}".strip())
    # The command is that of the distribution; without a requested engine, the vendor's choice is named.
    row = platforms().of(system.distribution, system.version)
    named = settings.engine if settings.engine != "auto" else row.engine if row else "podman"
    install = _INSTALLERS.get(system.distribution, "dnf install")
    remedy = (
        text("Install Docker CE: https://docs.docker.com/engine/install/.")
        if named == "docker"
        else text("Install it: `{install} podman`.", install=install)
    )
    if settings.engine == "auto":
        return problem("neither Podman nor Docker is installed", hint="{remedy}", remedy=remedy)
    return problem("{engine} is not installed", hint="{remedy}", engine=settings.engine, remedy=remedy)


@CHECKS.add("engine-running", "Engine answers")
def _running(settings: Settings, engine: EngineFacts, system: SystemFacts) -> Verdict:
    """`podman ps` or `docker info` answers.

    An engine that does not answer cannot start the containers.

    Start it: `systemctl start docker` for Docker; `podman info` shows why Podman fails.
    """
    found = chosen_engine(settings, engine)
    if found is None:
        return skipped("no engine is installed")
    if found.running:
        return passed("{name} answers", name=found.name)
    if found.running is None:
        seen = text("{name} did not respond in time", name=found.name)
        return unknown(
            "{seen}", hint="Measure it: `time {name} info`.", fixed_by="account", seen=seen, name=found.name
        )
    hints = {
        "docker": text("Start it: `systemctl start docker.service`, or run with --fix."),
        "podman": text("Check the output of `podman info`."),
    }
    if not system.root and settings.mode == "rootful":
        hints = dict.fromkeys(
            hints, text("Run mst-readiness with sudo: the gateway uses the engine of root.")
        )
    why = text(": {reason}", reason=found.reason) if found.reason else ""
    return problem(
        "{name} does not answer{why}",
        hint="{remedy}",
        fixed_by="account",
        name=found.name,
        why=why,
        remedy=hints[found.name],
    )


@CHECKS.add("engine-version", "Engine version")
def _version(settings: Settings, engine: EngineFacts) -> Verdict:
    """The engine is not older than the minimum version of the table.

    Older engines lack what the containers need, or restart them wrongly after a reboot.

    Update the engine; `mst-readiness host` lists the versions that are supported.
    """
    found = chosen_engine(settings, engine)
    if found is None:
        return skipped("no engine is installed")
    number, least = release(found.version), platforms().engines[found.name].least
    values = {"name": found.name, "version": found.version, "least": least}
    if number is None:
        return unknown("{name} does not report its version", hint="Check `{name} --version`.", **values)
    if number < Version(least):
        return problem(
            "{name} {version} is older than {least}", hint="Update {name} to {least} or later.", **values
        )
    return passed("{name} {version} is {least} or later", **values)


@CHECKS.add("engine-known-bad", "Known bad engine version")
def _known_bad(settings: Settings, engine: EngineFacts) -> Verdict:
    """The engine is in no refused range of versions; the table has the reasons.

    This version has a fault that breaks the gateway; the finding names it.

    Update the engine to the version that the finding names.
    """
    found = chosen_engine(settings, engine)
    number = None if found is None else release(found.version)
    if found is None or number is None:
        return skipped("no engine version is known")
    values = {"name": found.name, "version": found.version}
    if bad := bad_range(found.name, number):
        return problem(
            "{name} {version}: {why}",
            hint="Update {name} to {below} or later.",
            **values,
            why=text(bad.why),
            below=bad.below,
        )
    return passed("{name} {version} has no known problem", **values)


@CHECKS.add("engine-tested", "Engine version tested", "info")
def _tested(settings: Settings, engine: EngineFacts) -> Verdict:
    """A test run with its release line is on record, with date and kernel (`mst-readiness host` shows them).

    The installation was not tested with this version and may behave differently.
    """
    found = chosen_engine(settings, engine)
    number = None if found is None else release(found.version)
    if found is None or number is None:
        return skipped("no engine version is known")
    values = {"name": found.name, "version": found.version}
    lines = ", ".join(platforms().engines[found.name].tested)
    if is_tested(found.name, number):
        return passed("{name} {version} is of a tested release line ({lines})", **values, lines=lines)
    return problem(
        "{name} {version} is not a tested version ({tested})",
        hint="Expect it to work, and report it if it does not.",
        **values,
        tested=lines,
    )


@CHECKS.add("engine-shipped", "Engine of the distribution", "info")
def _shipped(settings: Settings, engine: EngineFacts, system: SystemFacts) -> Verdict:
    """The engine is the one that the distribution supports, and not older than the version shipped.

    Microsoft supports the gateway only on the engine of the distribution.
    """
    row, found = platforms().of(system.distribution, system.version), chosen_engine(settings, engine)
    if row is None or found is None:
        return skipped("no platform entry or no engine to compare with")
    if found.name != row.engine:
        return problem(
            "{name}; {system} supports {engine}",
            hint="Install {engine}, or expect no support from the vendor.",
            name=found.name,
            system=system.name,
            engine=row.engine,
        )
    if not row.shipped:
        return passed("{name}, as supported on {system}", name=found.name, system=system.name)
    number = release(found.version)
    if number is None:
        return skipped("no engine version is known")
    values = {"name": found.name, "version": found.version, "shipped": row.shipped}
    if number >= Version(row.shipped):
        return passed("{name} {version}; {system} came with {shipped}", **values, system=system.name)
    return problem(
        "{name} {version} is older than {shipped}", hint="Install the distribution's updates.", **values
    )


@CHECKS.add("userns-remap", "Docker user namespaces")
def _userns_remap(settings: Settings, engine: EngineFacts) -> Verdict:
    """Docker does not remap user namespaces: the certificate's key could not be read.

    With remapped ids the container cannot read the key of the certificate, so it does not start.
    """
    found = chosen_engine(settings, engine)
    if found is None or found.name != "docker":
        return skipped("Docker is not used")
    if not engine.userns_remap:
        return passed("userns-remap is not set")
    return problem(
        "userns-remap is {userns_remap}: containers cannot read the certificate's key",
        hint="Remove userns-remap from /etc/docker/daemon.json (or from the options of dockerd), then "
        "`systemctl restart docker`.",
        userns_remap=engine.userns_remap,
    )


@CHECKS.add("auditd", "Auditing", "recommended")
def _auditd(security: SecurityFacts) -> Verdict:
    """`auditd` is active. The installation then adds rules for the gateway's files ([step
    `audit`](steps.md)); `ausearch -k mst` shows who changed them.

    An audit shows who changed the settings, the certificate or the key of the gateway.
    """
    if security.auditd == "active":
        return passed("auditd is active")
    if security.auditd == "inactive":
        return problem(
            "auditd is installed but not active",
            hint="Start it: `systemctl enable --now auditd`, or run with --fix. An installation then adds "
            "rules for the gateway's files; run it again where one was made before.",
        )
    return problem(
        "auditd is not installed",
        hint="Install the package auditd (RHEL: audit). An installation then adds rules for the gateway's "
        "files; run it again where one was made before.",
    )
