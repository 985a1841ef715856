"""Group `utils`: kernel, container engine and auditing, as the vendor's tool of that name checks them."""

from mstunnel_setup.actions.forwarding import RULES
from mstunnel_setup.base.text import text
from mstunnel_setup.containers.versions import bad_range, is_tested, release
from mstunnel_setup.readiness import findings
from mstunnel_setup.readiness.data import platforms
from mstunnel_setup.readiness.facts import (
    Engine,
    EngineFacts,
    KernelFacts,
    SecurityFacts,
    Settings,
    SystemFacts,
)
from mstunnel_setup.readiness.model import Checks, Group, Severity, Verdict, passed, skipped
from mstunnel_setup.readiness.sysctls import FORWARD, MODULE_FILES

CHECKS = Checks(Group.UTILS)

# By the ID of os-release; all others that are supported have dnf.
_INSTALLERS = {"debian": "apt install", "ubuntu": "apt install", "sles": "zypper install"}
_RECOMMENDED = Severity.RECOMMENDED


def chosen_engine(settings: Settings, engine: EngineFacts) -> Engine | None:
    """The engine an installation would use: the one asked for, else Podman, else Docker."""
    wanted = ("podman", "docker") if settings.engine == "auto" else (settings.engine,)
    return next((item for name in wanted for item in engine.engines if item.name == name), None)


def _slug(module: str) -> str:
    return module.replace("_", "-")


def _loaded(module: str, severity: Severity, more: str = "") -> None:
    @CHECKS.add(
        f"module-{_slug(module)}",
        f"Kernel module {module}",
        severity,
        passes=f"The module `{module}` is available: loaded, built in, or seen in `/proc/misc`.{more}",
    )
    def module_loaded(kernel: KernelFacts) -> Verdict:
        if module in kernel.modules:
            return passed(text("{module} is loaded or built in", module=module))
        return findings.MODULE_NOT_LOADED(module=module)


def _persisted(module: str) -> None:
    @CHECKS.add(
        f"module-{_slug(module)}-boot",
        f"Module {module} at boot",
        _RECOMMENDED,
        passes="A file of `modules-load.d` (any name, any of its directories) or `/etc/modules` loads it at "
        "boot, or it is built in.",
    )
    def module_at_boot(kernel: KernelFacts) -> Verdict:
        if module in kernel.module_files:
            return passed(
                text("{module} loads {module_2}", module=kernel.module_files[module], module_2=module)
            )
        if module in kernel.built_in:
            return passed(text("{module} is built into the kernel", module=module))
        return findings.MODULE_NOT_AT_BOOT(module=module, file=MODULE_FILES[module])


_loaded("tun", Severity.REQUIRED)
_persisted("tun")
_loaded(
    "ip_tables",
    _RECOMMENDED,
    " The gateway translates addresses with nftables and runs without it; engines with the old backend "
    "and the vendor's images need it.",
)
_persisted("ip_tables")


@CHECKS.add("tun-device", "Device /dev/net/tun", passes="`/dev/net/tun` exists.")
def _tun_device(kernel: KernelFacts) -> Verdict:
    if kernel.tun_device:
        return passed(text("/dev/net/tun exists"))
    return findings.TUN_MISSING()


@CHECKS.add("ip-forward", "IP forwarding", passes="`net.ipv4.ip_forward` is 1 now.")
def _ip_forward(kernel: KernelFacts) -> Verdict:
    value = kernel.sysctls.get(FORWARD)
    if value is None:
        return findings.IP_FORWARD_UNKNOWN()
    if value == "1":
        return passed(f"{FORWARD} is 1")
    return findings.IP_FORWARD_OFF(value=value)


@CHECKS.add(
    "ip-forward-boot",
    "IP forwarding at boot",
    _RECOMMENDED,
    passes="The last file of `sysctl.d` that sets it sets it to 1; `/etc/sysctl.conf` counts where a "
    "link there leads to it (Debian 13 has none), or systemd is not installed. With root it may also be on "
    "without a file: the container engine switches it on.",
)
def _ip_forward_boot(settings: Settings, kernel: KernelFacts) -> Verdict:
    file, value = kernel.sysctl_files.get(FORWARD, ("", ""))
    if value == "1":
        return passed(text("{file} sets {forward} to 1", file=file, forward=FORWARD))
    if not file and settings.mode != "rootless" and kernel.sysctls.get(FORWARD) == "1":
        return passed(text("no file sets {forward}; the container engine does", forward=FORWARD))
    seen = (
        text("{file} sets {forward} to {value}", file=file, forward=FORWARD, value=value)
        if file
        else text("no file sets {forward} at boot", forward=FORWARD)
    )
    return findings.IP_FORWARD_NOT_AT_BOOT(seen=seen)


@CHECKS.add(
    "forwarding",
    "Forwarding for others",
    _RECOMMENDED,
    passes="The rules with which the host forwards for the gateway only are loaded. Where the host forwarded "
    "before the installation there are none, and the check says so.",
)
def _forwarding(kernel: KernelFacts) -> Verdict:
    if kernel.forwarding_rules == "loaded":
        return passed(text("the host forwards for the gateway only"))
    if kernel.forwarding_rules == "unknown":
        return skipped(text("only root can read the rules of nftables"))
    if kernel.forwarding_rules == "unloaded":
        return findings.FORWARDING_UNLIMITED(rules=RULES)
    if kernel.sysctls.get(FORWARD) == "1":
        return passed(
            text(
                "{forward} is 1 without rules of ours: the host may forward for others, too", forward=FORWARD
            )
        )
    return passed(text("the host does not forward"))


@CHECKS.add(
    "engine-present",
    "Container engine",
    passes="The requested engine, else Podman, else Docker, is installed.",
)
def _present(settings: Settings, engine: EngineFacts, system: SystemFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    if found is not None:
        return passed(f"{found.name} {found.version}".strip())
    remedy = _how_to_install(settings, system)
    if settings.engine == "auto":
        return findings.ENGINES_MISSING(remedy=remedy)
    return findings.ENGINE_MISSING(engine=settings.engine, remedy=remedy)


def _how_to_install(settings: Settings, system: SystemFacts) -> str:
    """The command of this distribution; its vendor's engine where none is named."""
    row = platforms().of(system.distribution, system.version)
    named = settings.engine if settings.engine != "auto" else row.engine if row else "podman"
    if named == "docker":
        return text("Install Docker CE: https://docs.docker.com/engine/install/.")
    return text(
        "Install it: `{install} podman`.", install=_INSTALLERS.get(system.distribution, "dnf install")
    )


@CHECKS.add("engine-running", "Engine answers", passes="`podman info` or `docker info` answers.")
def _running(settings: Settings, engine: EngineFacts, system: SystemFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    if found is None:
        return skipped(text("no engine is installed"))
    if found.running:
        return passed(text("{name} answers", name=found.name))
    if found.running is None:
        seen = text("{name} did not respond in time", name=found.name)
        return findings.ENGINE_SLOW(seen=seen, name=found.name)
    hints = {
        "docker": text("Start it: `systemctl start docker.service`, or run with --fix."),
        "podman": text("Check the output of `podman info`."),
    }
    if not system.root and settings.mode == "rootful":
        hints = dict.fromkeys(
            hints, text("Run mst-readiness with sudo: the gateway uses the engine of root.")
        )
    why = text(": {reason}", reason=found.reason) if found.reason else ""
    return findings.ENGINE_DOWN(name=found.name, why=why, remedy=hints[found.name])


@CHECKS.add(
    "engine-version",
    "Engine version",
    passes="It is not older than the minimum version of the table.",
)
def _version(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    if found is None:
        return skipped(text("no engine is installed"))
    number, known = release(found.version), platforms().engines[found.name]
    least = release(known.least)
    if number is None or least is None:
        return findings.ENGINE_VERSION_UNKNOWN(name=found.name)
    if number < least:
        return findings.ENGINE_OLD(name=found.name, version=found.version, least=known.least)
    return passed(
        text(
            "{name} {version} is {least} or later", name=found.name, version=found.version, least=known.least
        )
    )


@CHECKS.add(
    "engine-known-bad",
    "Known bad engine version",
    passes="It is in no refused range of versions; the table has the reasons.",
)
def _known_bad(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    number = None if found is None else release(found.version)
    if found is None or number is None:
        return skipped(text("no engine version is known"))
    bad = bad_range(found.name, number)
    if bad is not None:
        return findings.ENGINE_BAD(name=found.name, version=found.version, why=bad.why, below=bad.below)
    return passed(text("{name} {version} has no known problem", name=found.name, version=found.version))


@CHECKS.add(
    "engine-tested",
    "Engine version tested",
    Severity.INFO,
    passes="A run of its release line is recorded, with date and kernel (`mst-readiness host` shows them).",
)
def _tested(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    number = None if found is None else release(found.version)
    if found is None or number is None:
        return skipped(text("no engine version is known"))
    lines = platforms().engines[found.name].tested
    if is_tested(found.name, number):
        return passed(
            text(
                "{name} {version} is of a tested release line ({lines})",
                name=found.name,
                version=found.version,
                lines=", ".join(lines),
            )
        )
    return findings.ENGINE_UNTESTED(name=found.name, version=found.version, tested=", ".join(lines))


@CHECKS.add(
    "engine-shipped",
    "Engine of the distribution",
    Severity.INFO,
    passes="It is the distribution's supported engine, and not older than the version shipped.",
)
def _shipped(settings: Settings, engine: EngineFacts, system: SystemFacts) -> Verdict:
    row, found = platforms().of(system.distribution, system.version), chosen_engine(settings, engine)
    if row is None or found is None:
        return skipped(text("no platform entry or no engine to compare with"))
    if found.name != row.engine:
        return findings.ENGINE_UNSUPPORTED(name=found.name, system=system.name, engine=row.engine)
    if not row.shipped:
        return passed(text("{name}, as supported on {name_2}", name=found.name, name_2=system.name))
    number, shipped = release(found.version), release(row.shipped)
    if number is None or shipped is None:
        return skipped(text("no engine version is known"))
    if number >= shipped:
        return passed(
            text(
                "{name} {version}; {name_2} came with {shipped}",
                name=found.name,
                version=found.version,
                name_2=system.name,
                shipped=row.shipped,
            )
        )
    return findings.ENGINE_NOT_UPDATED(name=found.name, version=found.version, shipped=row.shipped)


@CHECKS.add(
    "userns-remap",
    "Docker user namespaces",
    passes="Docker does not remap user namespaces: the certificate's key could not be read.",
)
def _userns_remap(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    if found is None or found.name != "docker":
        return skipped(text("Docker is not used"))
    if not engine.userns_remap:
        return passed(text("userns-remap is not set"))
    return findings.USERNS_REMAPPED(userns_remap=engine.userns_remap)


@CHECKS.add(
    "auditd",
    "Auditing",
    _RECOMMENDED,
    passes=(
        "`auditd` is active. The installation then adds rules for the gateway's files "
        "([step `audit`](steps.md)); `ausearch -k mst` shows who changed them."
    ),
)
def _auditd(security: SecurityFacts) -> Verdict:
    if security.auditd == "active":
        return passed(text("auditd is active"))
    if security.auditd == "inactive":
        return findings.AUDITD_INACTIVE()
    return findings.AUDITD_MISSING()
