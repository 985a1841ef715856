"""A host of Microsoft's own gateway: its files, its containers in the recording engine, and what switches."""

from typing import Any

from tests.crash.arena import Arena, Ended
from tests.unit.vendor import lay_down

CONTAINERS = ("mstunnel-server", "mstunnel-agent")


class VendorArena(Arena):
    """An arena in which installing means to switch, and removing to go back."""

    digest = ""

    def lay_down(self) -> None:
        """The other gateway, with the certificate of the arena, running."""
        chain, key = ((self.directory / name).read_bytes() for name in ("chain.pem", "key.pem"))
        lay_down(self.root, chain, key)
        wants = self.root / "etc/systemd/system/default.target.wants"
        wants.mkdir()
        (wants / "podman-restart.service").symlink_to("/usr/lib/systemd/system/podman-restart.service")
        kept = self.daemon.keep()
        kept["containers"] = {name: self._container(name) for name in CONTAINERS}
        kept["services"] = {"mstunnel_monitor.service": True}
        self.daemon.bring_back(kept)
        self.write_answers({"certificate": None})
        self.digest = str(self.plan().checked().envelope["data"]["digest"])

    def plan(self) -> Ended:
        """Run `adopt plan`."""
        return self.answered("mstunnel-setup", "adopt", "plan")

    def _container(self, name: str) -> dict[str, Any]:
        return {
            "status": "running",
            "labels": {},
            "image": f"mcr.microsoft.com/tunnel/gateway/{name}",
            "directory": str(self.root / "etc/mstunnel"),
            "started": "2026-01-01T00:00:00+00:00",
            "restart": "always",
        }

    def install(self, *arguments: str, **options: Any) -> Ended:
        """Run `adopt switch` unattended."""
        return self.switch("--plan", self.digest, *arguments, **options)

    def switch(self, *arguments: str, **options: Any) -> Ended:
        """The same with these arguments alone."""
        return self.answered("mstunnel-setup", "adopt", "switch", *arguments, **options)

    def commit(self, **options: Any) -> Ended:
        """Run `adopt commit`."""
        return self.run("mstunnel-setup", "adopt", "commit", **options)

    def uninstall(self, *arguments: str, **options: Any) -> Ended:
        """Run `adopt rollback` unattended; what never began needs none."""
        ended = self.answered("mstunnel-setup", "adopt", "rollback", *arguments, **options)
        return self.roll_back(**options) if ended.code == 2 and ended.error == "nothing-adopted" else ended
