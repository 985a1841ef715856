"""The reload command of acme.sh, which it runs after each renewal of a certificate.

certbot needs no action of its own: it runs the files of a directory.
"""

from pathlib import PurePosixPath

from typing_extensions import override

from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, Outputs
from mstunnel_setup.certificates.acme_clients import acme_settings, has_ec_key
from mstunnel_setup.io.errors import ProcessError
from mstunnel_setup.transaction.action import Action, Undo, Undone, UndoRecord

# acme.sh runs the command at once; the hook would wait for the lock that this run holds.
_WRITING = {"MSTUNNEL_WRITES_HOOK": "1"}
_SECONDS = 300.0


class SetReloadCommand(Action):
    """Have acme.sh run a command after it renews a certificate. Undo clears it unless others changed it.

    `program` is the path of acme.sh, `directory` that of the certificate in its home.
    """

    kind = "acme-reload-command"
    key_template = "acme-reload-command:{directory}"
    description = text("set the reload command of acme.sh for {name}")
    program: str
    directory: str
    name: str
    command: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return self._current(host) == self.command

    @override
    def apply(self, host: Host, outputs: Outputs) -> JsonObject | None:
        """Set it with `acme.sh --install-cert`, as its documentation says. Raises ProcessError."""
        self._install(host, "--reloadcmd", self.command)
        return None

    @override
    def undo(self, host: Host, record: UndoRecord) -> Undone:
        current = self._current(host)
        if not current:
            return Undone(Undo.ABSENT)
        if current != self.command:
            return Undone(Undo.KEPT, f"the reload command of acme.sh for {self.name} was changed")
        try:
            self._install(host)
        except ProcessError:
            return Undone(Undo.KEPT, f"acme.sh could not clear its reload command for {self.name}")
        return Undone(Undo.REMOVED)

    def _current(self, host: Host) -> str:
        return acme_settings(host.files, self.directory, self.name).get("Le_ReloadCmd", "")

    def _install(self, host: Host, *options: str) -> None:
        home = host.files.locate(str(PurePosixPath(self.directory).parent))
        kind = ("--ecc",) if has_ec_key(self.directory) else ()
        host.processes.run(
            (self.program, "--install-cert", "--home", str(home), "-d", self.name, *kind, *options),
            timeout=_SECONDS,
            environment={"HOME": str(home.parent), **_WRITING},
        )
