"""The monitor of an attacked host, and whether it goes on as before."""

from dataclasses import dataclass

from tests.testbed.installation import Installation

# The monitor looks within eight seconds, and may wait ten for the gateway's word.
LOOK = 9.0


@dataclass(frozen=True)
class Monitor:
    """The monitor as it ran before the attack."""

    installation: Installation
    process: str

    @classmethod
    def of(cls, installation: Installation) -> "Monitor":
        """The monitor that runs now."""
        return cls(installation, _process(installation))

    def descriptors(self) -> int:
        """How many files it has open."""
        return len(self.installation.server.run(["ls", f"/proc/{self.process}/fd"]).stdout.split())

    def unharmed(self) -> None:
        """Fail unless the monitor goes on and the gateway serves."""
        server = self.installation.server
        assert _process(self.installation) == self.process
        assert self.descriptors() < 40
        assert server.run(["mst-cli", "server", "status"], check=False).code == 0
        log = server.run(["journalctl", "--no-pager", "--identifier=mstunnel_monitor"]).stdout
        assert "internal-error" not in log
        assert "Traceback" not in log


def _process(installation: Installation) -> str:
    shown = ["systemctl", "show", "--property=MainPID", "--value", "mstunnel_monitor.service"]
    return installation.server.run(shown).stdout.strip()
