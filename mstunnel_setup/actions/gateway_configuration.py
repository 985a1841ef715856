"""The action that writes `ocserv.conf` after ocserv has accepted it."""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.base.paths import OCSERV_CONF
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, JsonValue, Outputs, resolve
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE
from mstunnel_setup.transaction.action import Action, Undone, UndoRecord
from mstunnel_setup.transaction.ports import HasFiles


class HasChecker(HasFiles, Protocol):
    """The ports that this action needs."""

    def check_gateway_configuration(self, image: str, text: str) -> None:
        """Test `text` as configuration with the ocserv of `image`.

        Raises SetupError `gateway-configuration-refused` with ocserv's reason.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class WriteGatewayConfiguration(Action[HasChecker]):
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
        return text("test the gateway's configuration and write {path}", path=self.path)

    def satisfied(self, ports: HasChecker, outputs: Outputs) -> bool:
        """Whether the file matches."""
        return self._file.satisfied(ports, outputs)

    def capture(self, ports: HasChecker) -> JsonObject:
        """Save the current file, if there is one."""
        return self._file.capture(ports)

    def apply(self, ports: HasChecker, outputs: Outputs) -> JsonObject:
        """Write it if ocserv accepts it; otherwise the old file stays."""
        ports.check_gateway_configuration(str(resolve(self.image, outputs)), self.text)
        return self._file.apply(ports, outputs)

    def undo(self, ports: HasChecker, record: UndoRecord[HasChecker]) -> Undone:
        """Restore the earlier file."""
        return self._file.undo(ports, UndoRecord(record.before, (self._file,), record.outputs))
