"""A host for the steps that prepare one: the scene's files, with a fake kernel and service manager."""

from typing import Any

from mstunnel_setup.base import paths
from mstunnel_setup.install.run import Run
from tests.unit.actions.host import Host
from tests.unit.install.scenes import Scene

_MODULES = "kernel/drivers/net/tun.ko.xz:\nkernel/net/ipv4/netfilter/ip_tables.ko.xz: kernel/x_tables.ko.xz\n"


class Machine:
    """A scene with the programs and units of a fake host."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.host = Host(scene.root)
        scene.processes, scene.systemd = self.host, self.host.systemd
        self.host.set_sysctl("net.ipv4.ip_forward", "0")
        scene.write("/proc/sys/kernel/osrelease", "6.1.0\n")
        scene.write("/lib/modules/6.1.0/modules.dep", _MODULES)
        scene.prompter.interactive = False
        scene.files.make_directory(paths.CONFIGURATION)
        for directory in ("/etc/systemd/system", "/etc/profile.d"):
            scene.files.make_directories(directory)

    def opened(self, **answers: Any) -> Run:
        return self.scene.opened(**answers)

    def run(self, *steps: Any, **answers: Any) -> list[str]:
        run = self.opened(**answers)
        return [item.describe() for step in steps for item in self.scene.run(step, run)]

    def uninstall(self) -> None:
        self.scene.undo()

    def text(self, path: str) -> str:
        return (self.scene.files.read(path) or b"").decode()

    def tree(self) -> dict[str, bytes]:
        places = [path for path in self.scene.root.rglob("*") if path.is_file()]
        return {str(path): path.read_bytes() for path in places if "var/lib/mstunnel" not in str(path)}
