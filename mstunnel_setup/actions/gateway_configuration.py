"""The action that writes `ocserv.conf` once ocserv has accepted it."""

from collections.abc import Mapping, Sequence

from typing_extensions import override

from mstunnel_setup.actions.files import Composite, FileAction, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths
from mstunnel_setup.base.paths import OCSERV_CONF
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonValue, Outputs, resolve
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE
from mstunnel_setup.transaction.action import Action


class WriteGatewayConfiguration(Composite):
    """Write `ocserv.conf`. The monitor checks it again, even if the gateway has refused it before.

    The monitor changes it later, so undo removes it whatever its content. `image` is the gateway image by
    digest; it may be a reference to the result of an earlier action.
    """

    kind = "write-gateway-configuration"
    key_template = "file:{path}"
    description = text("test the gateway's configuration and write {path}")
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
        """Test the configuration.

        Raises StepError `gateway-configuration-refused`; then the old file stays.
        """
        host.check_gateway_configuration(str(resolve(self.image, outputs)), self.text)
        host.files.remove(paths.SERVED_CONFIGURATION)


class PlaceRadiusServers(FileAction):
    """Write the RADIUS servers with their secret. Only release 0.2.0 did; now the file is only removed."""

    kind = "place-radius-servers"
    description = text("write {path} with the secret in {secret}")
    path: str
    servers: Sequence[str]
    secret: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        return True

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        return
