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
        planned = self.run("mstunnel-setup", "adopt", "plan", "--answers", str(self.answers))
        assert planned.code == 0, planned.stdout + planned.stderr
        self.digest = str(planned.envelope["data"]["digest"])

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
        given = ("--plan", self.digest, "--answers", str(self.answers))
        return self.run("mstunnel-setup", "adopt", "switch", *given, *arguments, **options)

    def uninstall(self, *arguments: str, **options: Any) -> Ended:
        """Run `adopt rollback` unattended; what never began needs none."""
        ended = self.run(
            "mstunnel-setup", "adopt", "rollback", *arguments, "--answers", str(self.answers), **options
        )
        return self.roll_back(**options) if ended.code == 2 and ended.error == "nothing-adopted" else ended
