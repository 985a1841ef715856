"""The action that writes `ocserv.conf` after ocserv has accepted it."""

from dataclasses import dataclass
from typing import ClassVar

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.paths import OCSERV_CONF
from mstunnel_setup.base.values import JsonObject, JsonValue, Outputs, resolve
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE
from mstunnel_setup.transaction.action import Action, Undone, UndoRecord


@dataclass(frozen=True, kw_only=True)
class WriteGatewayConfiguration(Action):
    """Write `ocserv.conf`. The agent changes it later, so undo removes it whatever its content.

    `image` is the gateway image by digest; it may be a reference to the result of an earlier action.
    """

    kind: ClassVar[str] = "write-gateway-configuration"
    text: str
    image: JsonValue
    path: str = OCSERV_CONF
    mode: int = CONFIGURATION_MODE

    @property
    def key(self) -> str:
        """The path."""
        return self._file.key

    @property
    def _file(self) -> WriteFile:
        return WriteFile(path=self.path, text=self.text, mode=self.mode, managed=True)

    def describe(self) -> str:
        """What will be done."""
        return f"test the gateway's configuration and write {self.path}"

    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        """Whether the file matches."""
        return self._file.satisfied(host, outputs)

    def capture(self, host: Host) -> JsonObject:
        """Save the current file, if there is one."""
        return self._file.capture(host)

    def apply(self, host: Host, outputs: Outputs) -> JsonObject:
        """Write it if ocserv accepts it; otherwise the old file stays."""
        host.check_gateway_configuration(str(resolve(self.image, outputs)), self.text)
        return self._file.apply(host, outputs)

    def undo(self, host: Host, record: UndoRecord) -> Undone:
        """Restore the earlier file."""
        return self._file.undo(host, UndoRecord(record.before, (self._file,), record.outputs))
