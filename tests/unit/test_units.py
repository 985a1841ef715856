"""Every unit of ours on a host: systemd finds nothing wrong with it, and it is shut in tightly."""

import shutil
import subprocess
from pathlib import Path

import pytest

from mstunnel_setup.actions import firewall
from mstunnel_setup.actions.certificates import ScheduleImport
from mstunnel_setup.actions.units import ConfigureUnit, InstallService
from mstunnel_setup.containers import engine_options
from mstunnel_setup.containers.engine_options import EngineName
from mstunnel_setup.install.steps import host_part, program
from tests.cases import every
from tests.unit.install.test_host_plans import SPECIFICATIONS

ROOT = Path(__file__).parents[2]
ENGINES: tuple[EngineName, ...] = ("podman", "docker")
PROGRAMS = (
    "bin/sh",
    "bin/docker",
    "bin/podman",
    "sbin/mst-cli",
    "sbin/mstunnel_monitor",
    "sbin/mstunnel_uplink",
)
# A tenth of what systemd prints: the highest exposure that is accepted.
HIGHEST = 40


def _monitor(engine: EngineName, *, rootless: bool = False) -> str:
    wanted = program.MonitorService(
        "/usr/sbin/mstunnel_monitor", systemd=True, engine=engine, rootless=rootless
    )
    (service,) = (
        action for action in program.MONITORING.decide(wanted) if isinstance(action, InstallService)
    )
    return service.text


def _delayed_import(engine: EngineName) -> str:
    pending = ScheduleImport(
        name="0123456789ab",
        at="2026-06-01T14:00:00+02:00",
        fingerprint="0123456789abcdef",
        program="/usr/sbin/mst-cli",
        engine=engine,
    )
    return pending.units[0].text


def _uplink(name: str) -> str:
    wanted = host_part.Uplink("mstunnel", 443, "/usr/sbin/mstunnel_uplink")
    units = (item for item in host_part.UPLINK.decide(wanted) if isinstance(item, ConfigureUnit))
    return next(item.text for item in units if item.unit == name)


UNITS = {
    f"{name}-{engine}": text
    for engine in ENGINES
    for name, text in (
        *((item.name, engine_options.unit_file(item, engine)) for item in SPECIFICATIONS),
        ("mstunnel_monitor", _monitor(engine)),
        ("mstunnel-import", _delayed_import(engine)),
    )
} | {name: _uplink(f"{name}.service") for name in ("mstunnel-uplink", "mstunnel-uplink-rules")}
UNITS |= {unit.removesuffix(".service"): firewall.unit_text(unit) for unit in firewall.WANTS}
UNITS["mstunnel-metrics"] = (ROOT / "contrib/prometheus/mstunnel-metrics.service").read_text()
# What an account's service manager can forbid would keep rootless Podman from working (sandbox).
OF_ACCOUNTS = {"mstunnel_monitor-account": _monitor("podman", rootless=True)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A system for `systemd-analyze` to look at, on which all programs are installed."""
    for name in PROGRAMS:
        program = tmp_path / "usr" / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    units = tmp_path / "etc/systemd/system"
    units.mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    (units / "mstunnel-host_part.socket").write_text("[Socket]\nListenStream=/run/x\nService=ours.service\n")
    return tmp_path


def analyze(root: Path, text: str, *words: str) -> subprocess.CompletedProcess[str]:
    """What systemd-analyze says about a unit with this text."""
    path = root / "etc/systemd/system/ours.service"
    path.write_text(text)
    command = ["systemd-analyze", "--no-pager", *words]
    command += ["ours.service"] if words[0] == "verify" else [str(path)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.parametrize("name", [*UNITS, *OF_ACCOUNTS])
def test_systemd_finds_nothing_wrong(root: Path, name: str) -> None:
    command = ("verify", f"--root={root}", "--recursive-errors=no")
    text = {**UNITS, **OF_ACCOUNTS}[name]
    found = analyze(root, text, *command)
    assert (found.returncode, found.stdout + found.stderr) == (0, "")
    broken = analyze(root, text.replace("[Service]", "[Service]\nNoSuchKey=1"), *command)
    assert "NoSuchKey" in broken.stdout + broken.stderr


@every("name", [*UNITS, *OF_ACCOUNTS])
def test_systemd_before_256_accepts_it(name: str) -> None:
    """It refuses a service of type oneshot that an exit status restarts; a later systemd verifies neither."""
    settings = {line.partition("=")[0]: line for line in {**UNITS, **OF_ACCOUNTS}[name].splitlines()}
    assert settings.get("Type") != "Type=oneshot" or "RestartForceExitStatus" not in settings


@pytest.mark.parametrize("name", UNITS)
def test_it_is_shut_in(root: Path, name: str) -> None:
    command = ("security", "--offline=true", f"--threshold={HIGHEST}")
    found = analyze(root, UNITS[name], *command)
    assert found.returncode == 0, found.stdout
    assert analyze(root, "[Service]\nExecStart=/usr/bin/true\n", *command).returncode != 0


NFTABLES = {
    "Debian": ("sysinit.target", "DefaultDependencies=no\n"),
    "Red Hat": ("multi-user.target", ""),
}


@pytest.mark.parametrize("of", NFTABLES)
def test_what_a_host_forwards_is_limited_before_it_forwards(tmp_path: Path, of: str) -> None:
    """systemd finds no cycle among its own units, the `nftables.service` of a distribution, and ours."""
    target, more = NFTABLES[of]
    units = tmp_path / "etc/systemd/system"
    shutil.copytree("/usr/lib/systemd/system", tmp_path / "usr/lib/systemd/system", symlinks=True)
    texts = {unit: (wants, firewall.unit_text(unit)) for unit, wants in firewall.WANTS.items()}
    nftables = f"[Unit]\n{more}Before=network-pre.target\n[Service]\nType=oneshot\nExecStart=/bin/true\n"
    for unit, (wants, text) in {**texts, "nftables.service": (target, nftables)}.items():
        link = units / f"{wants}.wants" / unit
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(f"/etc/systemd/system/{unit}")
        (units / unit).write_text(text)
    command = ["systemd-analyze", "--no-pager", f"--root={tmp_path}", "verify", "multi-user.target"]
    found = subprocess.run(command, check=False, capture_output=True, text=True)
    assert "cycle" not in found.stderr
    early = (units / firewall.UNIT).read_text()
    assert "Before=systemd-sysctl.service " in early
    (units / firewall.UNIT).write_text(early.replace("[Service]", "After=multi-user.target\n[Service]"))
    assert "cycle" in subprocess.run(command, check=False, capture_output=True, text=True).stderr
