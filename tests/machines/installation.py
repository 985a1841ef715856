"""A gateway installed in a machine, from the program and the archive of images on a medium."""

from typing import Any

from tests.machines.bed import MEDIA, READY, MachineBed
from tests.testbed.certificates import Authority
from tests.testbed.installation import LAB, PUBLIC_ADDRESS, Installation
from tests.testbed.process import Completed
from tests.testbed.testbed import INTRANET_PAGE

PROGRAM = "/root/mstunnel-setup"
CLI = "/root/mst-cli"
_DATABASE = f"{LAB}/lab.sqlite"
_KEPT = "/root/{}.sqlite"
_COPY = "import sqlite3, sys; source, target = map(sqlite3.connect, sys.argv[1:]); source.backup(target)"


class MachineInstallation(Installation):
    """An emulated processor takes ten times as long; the program is started where it was copied to."""

    seconds = 1500.0
    setup_program = PROGRAM

    def __init__(self, bed: MachineBed) -> None:
        super().__init__(bed, {"gateway": "", "agent": ""})
        self.bed = bed
        self._first, self._second = self.authority, Authority()
        self._serving: set[str] = set()

    def prepare(self) -> None:
        """Start the lab tenant; what the machine gets is put there by `place`."""
        self.start_lab()
        self._copy_tenant(_DATABASE, _KEPT.format(READY))
        self.renew()

    def renew(self) -> None:
        """A new machine with certificates and answer file, and a tenant that knows nothing of it."""
        self.go_back(READY)
        self.server.write(self.path("lab-ca.pem"), self.testbed.lab.read(self.lab["ca_file"]))
        self.restore()
        self.bring(self._second)
        self.server.shell(f"ln -sf {PROGRAM} {CLI} && sync")

    def bring(self, authority: Authority) -> None:
        """Bring the certificate of another authority, which is not imported yet."""
        self._second = authority
        chain, key = authority.issue(PUBLIC_ADDRESS)
        self.server.write("/root/renewed.pem", chain)
        self.server.write("/root/renewed-key.pem", key, 0o600)

    def keep(self, state: str) -> None:
        """Keep machine and tenant as they are now, for `go_back`."""
        self.bed.save(state)
        if self.server.shell("systemctl is-active --quiet mstunnel-agent", check=False).code == 0:
            self._serving.add(state)
        self._copy_tenant(_DATABASE, _KEPT.format(state))

    def go_back(self, state: str) -> None:
        """Have machine and tenant as they were."""
        self._copy_tenant(_KEPT.format(state), _DATABASE)
        self.bed.reset(state)
        self.authority = self._first
        if state in self._serving:
            self.wait_until_healthy()

    def answers(self) -> dict[str, Any]:
        """Those of every testbed, and the archive instead of names in a registry."""
        return {**super().answers(), "images": {"archive": self.archive}}

    @property
    def archive(self) -> str:
        """Where the machine has the archive of the images."""
        return f"{MEDIA}/{self.bed.release.archive.name}"

    def cli(self, *arguments: str, check: bool = True) -> Completed:
        """Run `mst-cli`, also when the installed program is gone."""
        return self.program(CLI, *arguments, "--output", "json", check=check)

    def uninstall(self, *, check: bool = True) -> Completed:
        """Remove the gateway."""
        return self.cli("uninstall", "--unattended", check=check)

    def import_renewed(self, *, check: bool = True) -> Completed:
        """Import the certificate that was brought; the client trusts its authority alone then."""
        files = ("--cert", "/root/renewed.pem", "--key", "/root/renewed-key.pem")
        done = self.cli("import_cert", *files, "--yes", check=check)
        self.authority = self._second
        return done

    def answers_tls(self) -> bool:
        """Whether the gateway completes a TLS handshake."""
        command = f"timeout 20 openssl s_client -connect {PUBLIC_ADDRESS}:443 </dev/null"
        return self.testbed.client.shell(command, check=False).code == 0

    def serves(self) -> list[str]:
        """What is wrong with a gateway as a device sees it; nothing when the internal page is fetched."""
        self.wait_until_healthy()
        self.connect()
        page = self.fetch_internal_page(check=False)
        self.disconnect()
        return [] if page.stdout == INTRANET_PAGE else [page.describe()]

    def _copy_tenant(self, source: str, target: str) -> None:
        """Have a database hold what another one holds, while the lab serves it."""
        self.testbed.lab.run(["python", "-c", _COPY, source, target])
