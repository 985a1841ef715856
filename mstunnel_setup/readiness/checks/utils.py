"""Group `utils`: kernel, container engine and auditing, as the vendor's tool of that name checks them."""

from mstunnel_setup.containers.versions import bad_range, is_tested, release
from mstunnel_setup.readiness.data import platforms
from mstunnel_setup.readiness.facts import (
    Engine,
    EngineFacts,
    KernelFacts,
    SecurityFacts,
    Settings,
    SystemFacts,
)
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
from mstunnel_setup.readiness.sysctls import FORWARD, MODULE_FILES, SYSCTL_FILE

_RECOMMENDED = Severity.RECOMMENDED
_AUDIT_RULE = (
    "To audit the gateway's files, add a rule once they exist: "
    "`-w /etc/mstunnel -p wa -k mstunnel` in /etc/audit/rules.d/mst.rules, then `augenrules --load`."
)


def chosen_engine(settings: Settings, engine: EngineFacts) -> Engine | None:
    """The engine an installation would use: the one asked for, else Podman, else Docker."""
    wanted = ("podman", "docker") if settings.engine == "auto" else (settings.engine,)
    return next((item for name in wanted for item in engine.engines if item.name == name), None)


def _loaded(module: str, severity: Severity) -> Check:
    @check(f"module-{_slug(module)}", Group.UTILS, f"Kernel module {module}", severity)
    def module_loaded(kernel: KernelFacts) -> Verdict:
        if module in kernel.modules:
            return passed(f"{module} is loaded or built in")
        return problem(f"{module} is not loaded", f"Load it: `modprobe {module}`, or run with --fix.")

    return module_loaded


def _persisted(module: str) -> Check:
    @check(f"module-{_slug(module)}-boot", Group.UTILS, f"Module {module} at boot", _RECOMMENDED)
    def module_at_boot(kernel: KernelFacts) -> Verdict:
        if module in kernel.module_files:
            return passed(f"{kernel.module_files[module]} loads {module}")
        if module in kernel.built_in:
            return passed(f"{module} is built into the kernel")
        return problem(
            f"no file loads {module} at boot",
            f"Write one: `echo {module} >{MODULE_FILES[module]}`, or run with --fix.",
        )

    return module_at_boot


def _slug(module: str) -> str:
    return module.replace("_", "-")


@check("tun-device", Group.UTILS, "Device /dev/net/tun")
def _tun_device(kernel: KernelFacts) -> Verdict:
    if kernel.tun_device:
        return passed("/dev/net/tun exists")
    return problem(
        "/dev/net/tun is missing", "Load its module: `modprobe tun`. In a container, pass the device through."
    )


@check("ip-forward", Group.UTILS, "IP forwarding")
def _ip_forward(kernel: KernelFacts) -> Verdict:
    value = kernel.sysctls.get(FORWARD)
    if value is None:
        return unknown(f"{FORWARD} cannot be read", f"It must be 1: `sysctl {FORWARD}` shows it.")
    if value == "1":
        return passed(f"{FORWARD} is 1")
    return problem(f"{FORWARD} is {value}", f"Set it: `sysctl -w {FORWARD}=1`, or run with --fix.")


@check("ip-forward-boot", Group.UTILS, "IP forwarding at boot", _RECOMMENDED)
def _ip_forward_boot(kernel: KernelFacts) -> Verdict:
    file, value = kernel.sysctl_files.get(FORWARD, ("", ""))
    if value == "1":
        return passed(f"{file} sets {FORWARD} to 1")
    seen = f"{file} sets {FORWARD} to {value}" if file else f"no file sets {FORWARD} at boot"
    return problem(seen, f"Set it there: `echo {FORWARD}=1 >>{SYSCTL_FILE}`, or run with --fix.")


@check("engine-present", Group.UTILS, "Container engine")
def _present(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    if found is not None:
        return passed(f"{found.name} {found.version}".strip())
    wanted = "neither Podman nor Docker is" if settings.engine == "auto" else f"{settings.engine} is not"
    return problem(
        f"{wanted} installed",
        "Install it: `dnf install podman` on RHEL, Docker CE (docs.docker.com) on Ubuntu.",
    )


@check("engine-running", Group.UTILS, "Engine answers")
def _running(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    if found is None:
        return skipped("no engine is installed")
    if found.running:
        return passed(f"{found.name} answers")
    if found.running is None:
        seen = f"{found.name} did not respond in time"
        return unknown(seen, f"Measure it: `time {found.name} info`.")
    hints = {
        "docker": "Start it: `systemctl start docker.service`, or run with --fix.",
        "podman": "Check the output of `podman info`.",
    }
    why = f": {found.reason}" if found.reason else ""
    return problem(f"{found.name} does not answer{why}", hints[found.name])


@check("engine-version", Group.UTILS, "Engine version")
def _version(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    if found is None:
        return skipped("no engine is installed")
    number, known = release(found.version), platforms().engines[found.name]
    least = release(known.least)
    if number is None or least is None:
        return unknown(f"{found.name} does not report its version", f"Check `{found.name} --version`.")
    if number < least:
        return problem(
            f"{found.name} {found.version} is older than {known.least}",
            f"Update {found.name} to {known.least} or later.",
        )
    return passed(f"{found.name} {found.version} is {known.least} or later")


@check("engine-known-bad", Group.UTILS, "Known bad engine version")
def _known_bad(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    number = None if found is None else release(found.version)
    if found is None or number is None:
        return skipped("no engine version is known")
    bad = bad_range(found.name, number)
    if bad is not None:
        return problem(
            f"{found.name} {found.version}: {bad.why}", f"Update {found.name} to {bad.below} or later."
        )
    return passed(f"{found.name} {found.version} has no known problem")


@check("engine-tested", Group.UTILS, "Engine version tested", Severity.INFO)
def _tested(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    number = None if found is None else release(found.version)
    if found is None or number is None:
        return skipped("no engine version is known")
    lines = platforms().engines[found.name].tested
    if is_tested(found.name, number):
        return passed(f"{found.name} {found.version} is in the tested range")
    return problem(
        f"{found.name} {found.version} is not among the tested ones ({', '.join(lines)})",
        "It is expected to work; please report it if it does not.",
    )


@check("engine-shipped", Group.UTILS, "Engine of the distribution", Severity.INFO)
def _shipped(settings: Settings, engine: EngineFacts, system: SystemFacts) -> Verdict:
    row, found = platforms().of(system.distribution, system.version), chosen_engine(settings, engine)
    if row is None or found is None:
        return skipped("no platform entry or no engine to compare with")
    if found.name != row.engine:
        return problem(
            f"{found.name}; {system.name} supports {row.engine}",
            f"Install {row.engine}, or expect no support from the vendor.",
        )
    if not row.shipped:
        return passed(f"{found.name}, as supported on {system.name}")
    number, shipped = release(found.version), release(row.shipped)
    if number is None or shipped is None:
        return skipped("no engine version is known")
    if number >= shipped:
        return passed(f"{found.name} {found.version}; {system.name} came with {row.shipped}")
    return problem(
        f"{found.name} {found.version} is older than {row.shipped}", "Install the distribution's updates."
    )


@check("userns-remap", Group.UTILS, "Docker user namespaces")
def _userns_remap(settings: Settings, engine: EngineFacts) -> Verdict:
    found = chosen_engine(settings, engine)
    if found is None or found.name != "docker":
        return skipped("Docker is not used")
    if not engine.userns_remap:
        return passed("userns-remap is not set")
    return problem(
        f"userns-remap is {engine.userns_remap}: containers cannot read the certificate's key",
        "Remove userns-remap from /etc/docker/daemon.json (or from the options of dockerd), then "
        "`systemctl restart docker`.",
    )


@check("auditd", Group.UTILS, "Auditing", _RECOMMENDED)
def _auditd(security: SecurityFacts) -> Verdict:
    if security.auditd == "active":
        return passed("auditd is active")
    if security.auditd == "inactive":
        return problem(
            "auditd is installed but not active",
            f"Start it: `systemctl enable --now auditd`, or run with --fix. {_AUDIT_RULE}",
        )
    return problem("auditd is not installed", f"Install the package auditd (RHEL: audit). {_AUDIT_RULE}")


CHECKS: tuple[Check, ...] = (
    _loaded("tun", Severity.REQUIRED),
    _persisted("tun"),
    # The gateway translates addresses with nftables; engines and the vendor's own images use ip_tables.
    _loaded("ip_tables", _RECOMMENDED),
    _persisted("ip_tables"),
    _tun_device,
    _ip_forward,
    _ip_forward_boot,
    _present,
    _running,
    _version,
    _known_bad,
    _tested,
    _shipped,
    _userns_remap,
    _auditd,
)
