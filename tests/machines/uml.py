"""One machine in user mode: its kernel is a process."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.machines.computer import Computer
from tests.testbed.namespace import Namespace
from tests.testbed.testbed import DOMAIN

ADDRESS = "10.0.2.15"
_MEMORY = "3072M"
# Between machine and namespace, with a name server.
# Docker's containers ask the name server of the host; they do not get its file of names, as Podman's do.
NETWORK = f"""\
ip tuntap add machine mode tap
ip address add 10.0.2.2/24 dev machine
ip address add 10.0.2.3/24 dev machine
ip link set machine up
dnsmasq --conf-file=/dev/null --no-resolv --no-hosts --user=root --pid-file --bind-interfaces \\
    --listen-address=10.0.2.3 --address=/lab.{DOMAIN}/10.0.2.2 --address=/intranet.{DOMAIN}/10.99.0.80
"""
# Its kernel and its programs are processes that wait for each other: twice as fast where they take turns.
_PROCESSORS = sorted(os.sched_getaffinity(0))
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_ON_ONE_PROCESSOR = ("taskset", "--cpu-list", str(_PROCESSORS[_WORKER % len(_PROCESSORS)]))
_CONSOLE = ("console=tty0", "con=null", "con0=null,fd:1", "ssl=null")
_KERNEL_LINE = ("root=/dev/ubda", "rw", "net.ifnames=0", f"mem={_MEMORY}", *_CONSOLE)


def missing() -> str:
    """Why no machine can run here; "" when one can."""
    for program in ("dnsmasq", "uml_moo", "mkfs.ext4", "mkfs.xfs", "mmdebstrap", "ssh"):
        if shutil.which(program, path="/usr/bin:/usr/sbin:/bin:/sbin") is None:
            return f"{program} is not installed"
    return ""


class Uml(Computer):
    """A machine in the network of `namespace`. `base` is a raw disk, `more` one that is only read.

    What is different from `base` is in `changes`, which is made when it is not there. `line` is what the
    kernel, which is `program`, is told besides.
    """

    kill = ("pkill", "-KILL", "--parent")

    def __init__(
        self,
        namespace: Namespace,
        directory: Path,
        program: Path,
        *,
        base: Path,
        changes: Path,
        more: Path,
        line: Sequence[str],
    ) -> None:
        # Nothing of a machine outlives its first process, and that has ended when `unshare` has.
        alone = (*_ON_ONE_PROCESSOR, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
        places = ("env", "TMPDIR=/dev/shm")
        disks = (f"ubd0={changes},{base}", f"ubd1r={more}")
        network = "vec0:transport=tap,ifname=machine,depth=128,gro=1"
        command: list[str | Path] = [
            *alone,
            *places,
            program,
            *_KERNEL_LINE,
            *line,
            *disks,
            network,
            f"uml_dir={directory}",
        ]
        super().__init__(namespace, directory, command)
