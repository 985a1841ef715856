"""Actions that write `ocserv.conf`, once ocserv has accepted it, and the RADIUS servers that it asks."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from typing_extensions import override

from mstunnel_setup.actions.files import Composite, FileAction, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base import paths, rendering
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.paths import OCSERV_CONF
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonValue, Outputs, resolve
from mstunnel_setup.gateway.ocserv_conf import CONFIGURATION_MODE
from mstunnel_setup.transaction.action import Action


class WriteGatewayConfiguration(Composite):
    """Write `ocserv.conf`. The monitor judges it again, even if the gateway has refused it before.

    The monitor changes it later, so undo removes it whatever its content.
    `image` is the gateway image by digest; it may be a reference to the result of an earlier action.
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
        """Raises StepError `gateway-configuration-refused`; then the old file stays."""
        host.check_gateway_configuration(str(resolve(self.image, outputs)), self.text)
        host.files.remove(paths.SERVED_CONFIGURATION)


_MODE: Final = 0o600
# radcli reads lines of 126 characters, and splits them at blanks; the longest name of a server has 63.
_SECRET: Final = re.compile(r"[!-~]{1,60}")


def client_conf(servers: Sequence[str], nas_identifier: str) -> str:
    """The text of `radiusclient.conf`; it holds no secret."""
    return rendering.render(
        "radius/radiusclient.conf",
        servers=servers,
        secrets=paths.RADIUS_SERVERS,
        dictionary="/etc/radcli/dictionary",  # in the image, from Debian's libradcli4
        nas_identifier=nas_identifier,
    )


def servers_file(servers: Sequence[str], secret: str) -> str:
    """The text of `servers`: each server, without its port, with the secret."""
    hosts = [re.sub(r":\d+$", "", server).strip("[]") for server in servers]
    return rendering.render("radius/servers", hosts=hosts, secret=secret)


def refuse_secret(secret: str, reference: str) -> None:
    """Raise UsageError `radius-secret-invalid` for a secret that radcli would read as another one."""
    if not _SECRET.fullmatch(secret):
        raise UsageError(
            "radius-secret-invalid",
            "the secret in {reference} is not a valid RADIUS shared secret",
            hint=(
                "Set another one here and on the server: 1 to 60 printable ASCII characters, without spaces."
            ),
            reference=reference,
        )


class PlaceRadiusServers(FileAction):
    """Write the servers with their secret. `secret` says where it is; the journal never gets the secret."""

    kind = "place-radius-servers"
    description = text("write {path} with the secret in {secret}")
    path: str = paths.RADIUS_SERVERS
    servers: Sequence[str]
    secret: str

    @override
    def satisfied(self, host: Host, outputs: Outputs) -> bool:
        state = host.files.state(self.path)
        return state is not None and state.mode == _MODE and host.files.read(self.path) == self._content(host)

    @override
    def apply(self, host: Host, outputs: Outputs) -> None:
        host.files.write(self.path, self._content(host), _MODE)

    def _content(self, host: Host) -> bytes:
        secret = (host.passphrase(self.secret) or b"").decode()
        refuse_secret(secret, self.secret)
        return servers_file(self.servers, secret).encode()
