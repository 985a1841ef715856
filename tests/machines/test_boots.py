"""What a machine meets at boot and while it runs: the gateway serves again without intervention."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.machines import record
from tests.machines.booted import booted_in_user_mode
from tests.machines.installation import MachineInstallation
from tests.machines.serving import serves_again
from tests.machines.uml_bed import UmlBed
from tests.machines.usage import PROCESSES

pytestmark = [pytest.mark.machine, pytest.mark.timeout(900)]

_INSTALLED = "installed"
_LATE_SECONDS = 40
_UPTIME = "cut -d . -f 1 /proc/uptime"
_UNITS = "/etc/systemd/system"
_EARLY = """\
[Unit]
DefaultDependencies=no
Before=sysinit.target
[Service]
Type=oneshot
ExecStart=sh /root/early
[Install]
WantedBy=sysinit.target
"""
_LATE = f"""\
[Service]
ExecStart=sh -c 'sleep {_LATE_SECONDS}; sh /root/late'
[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True)
class Boot:
    """What is done to a host before a reboot, early in it, and a while after its services were started."""

    what: str
    before: str = "true"
    early: str = ""
    late: str = ""


_BOOTS = (
    Boot("Reboot"),
    Boot("Reboot, a setting of the kernel changed by hand", "sysctl --write net.ipv4.ip_forward=0"),
    Boot(
        f"Reboot, tunnel device {_LATE_SECONDS} s late",
        "mkdir -p /etc/modprobe.d && echo 'install tun /bin/false' >/etc/modprobe.d/late.conf",
        late="rm /etc/modprobe.d/late.conf",
    ),
    Boot(
        f"Reboot, clock in the year 2020 for {_LATE_SECONDS} s",
        early=f"date +%s >/root/now; {_UPTIME} >/root/uptime; date --set 2020-01-01",
        late=f"date --set @$(( $(cat /root/now) + $({_UPTIME}) - $(cat /root/uptime) + 1 ))",
    ),
    Boot(
        f"Reboot, network {_LATE_SECONDS} s late",
        "mv /etc/systemd/network/uml.network /root/",
        late="mv /root/uml.network /etc/systemd/network/ && networkctl reload",
    ),
    Boot(
        f"Reboot with a full disk, room after {_LATE_SECONDS} s",
        "cat /dev/zero >/full || true",
        late="rm /full",
    ),
    Boot(
        "Reboot, kernel without the module of iptables",
        "rm $(modinfo --field filename ip_tables) && depmod",
    ),
)
_OUT_OF_MEMORY = """\
group=/sys/fs/cgroup$(cut --delimiter : --fields 3 /proc/$({})/cgroup)
before=$(grep '^oom_kill ' "$group/memory.events")
echo 100K >"$group/memory.max" || true
for _ in $(seq 100); do
    [ -d "$group" ] && [ "$(grep '^oom_kill ' "$group/memory.events")" = "$before" ] || exit 0
    sleep 0.1
done
echo "nothing was killed in $group" && exit 1
"""


@pytest.fixture(scope="module")
def host() -> Iterator[MachineInstallation]:
    """A machine that serves, in a state that is kept."""
    with booted_in_user_mode() as installation:
        done = installation.setup()
        complaints = installation.serves()
        record.add(installation.bed, record.INSTALLED, complaints, seconds=round(done.seconds))
        assert complaints == []
        installation.keep(_INSTALLED)
        yield installation


@pytest.mark.parametrize("boot", _BOOTS, ids=[boot.what for boot in _BOOTS])
def test_it_serves_again_after_a_boot(host: MachineInstallation, boot: Boot) -> None:
    host.go_back(_INSTALLED)
    for name, unit, script in (("early", _EARLY, boot.early), ("late", _LATE, boot.late)):
        if script:
            host.server.write(f"/root/{name}", script)
            host.server.write(f"{_UNITS}/{name}.service", unit)
            host.server.run(["systemctl", "enable", name])
    host.server.shell(boot.before)
    assert serves_again(host, boot.what, host.bed.restart_server) == []


def test_it_serves_again_with_another_kernel(host: MachineInstallation) -> None:
    host.go_back(_INSTALLED)
    assert isinstance(host.bed, UmlBed)
    host.bed.program = host.bed.kernel.newer
    try:
        assert serves_again(host, "Reboot into another installed kernel", host.bed.restart_server) == []
        assert host.server.run(["uname", "--kernel-release"]).stdout.endswith("-newer\n")
    finally:
        host.bed.program = host.bed.kernel.program


@pytest.mark.parametrize("part", PROCESSES)
def test_it_serves_again_after_its_memory_has_run_out(host: MachineInstallation, part: str) -> None:
    host.go_back(_INSTALLED)
    kill = _OUT_OF_MEMORY.format(PROCESSES[part])
    assert serves_again(host, f"Out of memory, the {part} killed", lambda: host.server.shell(kill)) == []


def test_it_serves_again_after_its_module_was_unloaded(host: MachineInstallation) -> None:
    host.go_back(_INSTALLED)
    unload = "podman kill mstunnel-server && until modprobe --remove tun; do sleep 0.1; done"
    what = "The tunnel device unloaded when the gateway ended"
    assert serves_again(host, what, lambda: host.server.shell(unload)) == []
