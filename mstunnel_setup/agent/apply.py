"""Takes a server configuration to the gateway, and back again when the gateway refuses it.

The gateway tests every new `ocserv.conf` and says in its report what became of it. A refused one is replaced
by the earlier one, which is kept; it is not tried again until the tenant, or this server, wants another.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from mstunnel_setup import paths
from mstunnel_setup.agent import desired_configuration
from mstunnel_setup.agent.counters import Counters
from mstunnel_setup.agent.events import Tell, line, problem
from mstunnel_setup.agent.gateway_report import Applied, read_report
from mstunnel_setup.gateway.log_level import served_level, with_level
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE
from mstunnel_setup.gateway.warning import ConfigurationWarning
from mstunnel_setup.host.clock import Clock
from mstunnel_setup.host.files import Files

PREVIOUS: Final = {
    paths.ADMIN_SETTINGS: f"{paths.AGENT_STATE}/previous-admin-settings.json",
    paths.OCSERV_CONF: f"{paths.AGENT_STATE}/previous-ocserv.conf",
}
"""Where the agent keeps what stood in its files before the last change."""

_REFUSED: Final = f"{paths.AGENT_STATE}/refused.json"
# The gateway looks every five seconds, and a restart of ocserv takes a second or two.
_PATIENCE_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.5


class Refused(BaseModel):
    """The state that the gateway refused last (`Wanted.digest`), and why.

    The record of a newer release is ignored: the gateway is asked once more.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    digest: str
    reason: str


@dataclass
class Applier:
    """Keeps the gateway's files as the tenant wants them.

    `refusal` is why what the tenant wants is not in use, None when it is.
    """

    files: Files
    clock: Clock
    tell: Tell
    counters: Counters
    refusal: str | None = field(default=None, init=False)
    _warnings: tuple[ConfigurationWarning, ...] = field(default=(), init=False)
    _said: str = field(default="", init=False)

    def apply(self, wish: desired_configuration.Wanted) -> None:
        """Write what differs, wait for the gateway's word, and go back when it says no. Raises FileError."""
        self._warn(wish)
        self.refusal = wish.port_waiting.message if wish.port_waiting else None
        known = self._known_refusal()
        if known is not None and known.digest == wish.digest:
            self._go_back(wish)
            self._say_refusal(known.reason)
            return
        self._said = ""
        present = desired_configuration.current(self.files)
        changes = desired_configuration.decide(present, wish)
        if changes:
            self._write(present, changes)
        self._settle(wish, waiting=any(change.path == paths.OCSERV_CONF for change in changes))

    def keep_level(self, level: int) -> None:
        """Have `ocserv.conf` as it stands log at `level`, which this server decides. Raises FileError."""
        present = self.files.read(paths.OCSERV_CONF) or b""
        if served_level(present) not in (None, level):
            self.files.write(paths.OCSERV_CONF, with_level(present, level), CONFIGURATION_MODE)
            self.tell(line("log-level-changed", f"the gateway logs at level {level}."))

    def _write(
        self, present: Mapping[str, bytes | None], changes: tuple[desired_configuration.ManagedFile, ...]
    ) -> None:
        self.files.make_directories(paths.AGENT_STATE)
        for path, kept in PREVIOUS.items():
            self.files.write(kept, present[path] or b"")
        desired_configuration.write(self.files, changes)
        self.tell(line("configuration-written", ", ".join(change.path for change in changes)))

    def _settle(self, wish: desired_configuration.Wanted, *, waiting: bool) -> None:
        """Hear what the gateway says about this configuration; it may also say so in a later round."""
        applied = self._verdict(wish.gateway_digest, _PATIENCE_SECONDS if waiting else 0)
        if applied is None:
            return
        if applied.refusal is None:
            if waiting:
                self.counters.configurations_applied += 1
                self.tell(line("configuration-applied", "the gateway has taken it."))
            return
        self._refuse(wish, applied.refusal)

    def _refuse(self, wish: desired_configuration.Wanted, reason: str) -> None:
        self.counters.configurations_refused += 1
        self.files.make_directories(paths.AGENT_STATE)
        record = Refused(digest=wish.digest, reason=reason)
        self.files.write(_REFUSED, record.model_dump_json().encode())
        self._say_refusal(reason)
        self._go_back(wish)

    def _say_refusal(self, reason: str) -> None:
        """Once for each refusal, and once after a start."""
        self.refusal = reason
        if reason != self._said:
            hint = "The earlier one is put back. Correct the server configuration in the admin center."
            self.tell(
                line("configuration-refused", f"the gateway refuses the configuration: {reason}.", hint)
            )
        self._said = reason

    def _go_back(self, wish: desired_configuration.Wanted) -> None:
        """Put the earlier files back where the refused ones still stand, as after a kill in between."""
        present = desired_configuration.current(self.files)
        if present[paths.OCSERV_CONF] != wish.files[-1].content:
            return
        for path, kept in PREVIOUS.items():
            content = self.files.read(kept)
            if content:
                self.files.write(path, content, CONFIGURATION_MODE)

    def _verdict(self, digest: str, patience: float) -> Applied | None:
        """What the gateway says of `digest`, waiting for it while a gateway is there at all."""
        end = self.clock.monotonic() + patience
        while True:
            report = read_report(self.files)
            if report is None:
                return None
            if report.configuration is not None and report.configuration.digest == digest:
                return report.configuration
            if self.clock.monotonic() >= end:
                return None
            self.clock.sleep(_PAUSE_SECONDS)

    def _known_refusal(self) -> Refused | None:
        try:
            return Refused.model_validate_json(self.files.read(_REFUSED) or b"")
        except ValidationError:
            return None

    def _warn(self, wish: desired_configuration.Wanted) -> None:
        """Say warnings when they are new, not every minute."""
        warnings = (*wish.warnings, *((wish.port_waiting,) if wish.port_waiting else ()))
        for warning in warnings:
            if warning not in self._warnings:
                self.tell(problem(warning))
        self._warnings = warnings
