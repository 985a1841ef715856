"""The action that writes `ocserv.conf` after ocserv has accepted it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from typing_extensions import override

from mstunnel_setup.actions.files import Composite, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.paths import OCSERV_CONF
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonValue, Outputs, resolve
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE
from mstunnel_setup.transaction.action import Action


@dataclass(frozen=True, kw_only=True)
class WriteGatewayConfiguration(Composite):
    """Write `ocserv.conf`. The monitor changes it later, so undo removes it whatever its content.

    `image` is the gateway image by digest; it may be a reference to the result of an earlier action.
    """

    kind: ClassVar[str] = "write-gateway-configuration"
    key_template: ClassVar[str] = "file:{path}"
    description: ClassVar[str] = text("test the gateway's configuration and write {path}")
    text: str
    image: JsonValue
    path: str = OCSERV_CONF
    mode: int = CONFIGURATION_MODE

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": WriteFile(path=self.path, text=self.text, mode=self.mode, managed=True)}

    @override
    def prepare(self, host: Host, outputs: Outputs) -> None:
        """Raises StepError `gateway-configuration-refused`; then the old file stays."""
        host.check_gateway_configuration(str(resolve(self.image, outputs)), self.text)
