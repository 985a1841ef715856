"""What a gateway takes of a machine: memory and open files of its parts, and room on the disk."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median_high

from tests.machines.installation import MachineInstallation
from tests.testbed.paths import JOURNAL

# How the first process of each part is found.
PROCESSES = {
    "gateway": "podman inspect --format '{{.State.Pid}}' mstunnel-server",
    "agent": "podman inspect --format '{{.State.Pid}}' mstunnel-agent",
    "monitor": "systemctl show --property MainPID --value mstunnel_monitor",
}
# What the processes of a control group have allocated, and how many files they have open: three times, as
# health checks come and go among them. What names a process does not count: the monitor has one for each
# container while it waits, and none between two looks.
_PART = """\
group=/sys/fs/cgroup$(cut --delimiter : --fields 3 /proc/$({process})/cgroup)
for _ in 1 2 3; do
    echo {name}_memory $(($(sed --quiet 's/^anon //p' "$group/memory.stat") / 1024))
    ids=$(cat "$group/cgroup.procs")
    echo {name}_open $(for id in $ids; do
        find "/proc/$id/fd" -type l ! -lname '*pidfd*'
    done 2>/dev/null | wc --lines)
    sleep 0.5
done
"""
_PARTS = "".join(_PART.format(name=name, process=process) for name, process in PROCESSES.items())
# All but the journal of the machine, which grows until it has its share of the disk.
_DISK = f"""\
sync
journal=$(du --summarize /var/log/journal | cut --fields 1)
echo disk $(($(df --output=used / | tail --lines 1) - journal))
echo journal $(($(stat --format %s {JOURNAL}) / 1024))
echo paths $(find / -xdev ! -path '/var/log/journal*' | wc --lines)
"""
# By what part of its median in the first half of a time one may be larger in the second half. The journal of
# the program has none: it grows until it is compacted.
_MARGINS = {"memory": 0.1, "open": 0.1, "disk": 0.005, "paths": 0.002}


def measured(host: MachineInstallation) -> dict[str, int]:
    """Memory and room on the disk in KiB, open files and paths as numbers, by name."""
    usage: dict[str, int] = {}
    for line in host.server.shell(_PARTS + _DISK).stdout.splitlines():
        name, figure = line.split()
        usage[name] = min(int(figure), usage.get(name, int(figure)))
    return usage


def grown(usage: Sequence[Mapping[str, int]]) -> Iterator[str]:
    """Of what the second half of a time took more than the first one, for longer than a moment."""
    half = len(usage) // 2
    for name in usage[0]:
        early, late = (median_high(each[name] for each in part) for part in (usage[:half], usage[half:]))
        margin = _MARGINS.get(name.rpartition("_")[2])
        if margin is not None and late > early * (1 + margin):
            yield f"{name} has grown from {early} to {late}"
