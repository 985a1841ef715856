"""Microsoft's own gateway: its programs and units, some with the names of ours, and its containers."""

from pathlib import PurePosixPath
from typing import Final

from mstunnel_setup.containers.vendor import vendor_containers
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.process import Processes
from mstunnel_setup.readiness.facts.section import Section


class VendorFacts(Section):
    """Signs of Microsoft's own gateway: programs and units (paths), and containers by engine and name.

    The directory /etc/mstunnel alone is not a sign: auditing scripts create it before any installation.
    """

    programs: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    containers: tuple[str, ...] = ()

    @property
    def signs(self) -> tuple[str, ...]:
        """All signs, for people; empty if the gateway is not installed."""
        return (*self.programs, *self.units, *(f"container {name}" for name in self.containers))


PROGRAMS: Final = ("mst-cli", "mstunnel_monitor")
MONITOR_UNIT: Final = "mstunnel_monitor.service"
# The monitor's messages mention services with these names; their unit files are not documented.
UNITS: Final = (MONITOR_UNIT, "mstunnel-server.service", "mstunnel-agent.service")
_UNIT_DIRECTORIES = ("/etc/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
_OUR_FILE = "mstunnel-setup"
# Every start script of ours contains one of these: in a Python package, or in the Debian and RPM packages.
_OUR_SCRIPTS = (b"mstunnel_setup", b"/usr/libexec/mstunnel-setup")
# Every unit of ours contains one of these: the monitor's description, or our container label.
_OUR_UNITS = (b"Description=Monitor of the Microsoft Tunnel gateway", b"org.mstunnel.managed")


def vendor(files: Files, processes: Processes) -> VendorFacts:
    """Return the vendor's parts on this host; containers only for the running host, not another root."""
    # The programs are in /usr/sbin or the directory it links to. A link to the single file is ours.
    sbin = files.state("/usr/sbin")
    directory = "/usr/bin" if sbin is not None and sbin.kind == "link" else "/usr/sbin"
    programs = []
    for path in (f"{directory}/{name}" for name in PROGRAMS):
        state = files.state(path)
        linked = state is not None and PurePosixPath(state.target or "").name == _OUR_FILE
        if state is not None and not linked and not _holds(files, path, _OUR_SCRIPTS):
            programs.append(path)
    # Of the files of one unit the first is the one that systemd reads.
    units: dict[str, str] = {}
    for directory in _UNIT_DIRECTORIES:
        for unit in UNITS:
            if files.state(f"{directory}/{unit}") is not None:
                units.setdefault(unit, f"{directory}/{unit}")
    containers = vendor_containers(processes) if files.live else ()
    return VendorFacts(
        programs=tuple(programs),
        units=tuple(path for path in units.values() if not _holds(files, path, _OUR_UNITS)),
        containers=tuple(f"{item.engine} {item.name}" for item in containers),
    )


def _holds(files: Files, path: str, marks: tuple[bytes, ...]) -> bool:
    content = files.read(path) or b""
    return any(mark in content for mark in marks)
