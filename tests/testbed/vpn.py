"""The real VPN client on a machine of the testbed."""

from typing import TypedDict, Unpack

from tests.testbed.machine import Machine
from tests.testbed.process import Completed
from tests.testbed.waiting import eventually

TOKEN = "/root/openconnect.token"
CERTIFICATE = "/root/openconnect-certificate.pem"
KEY = "/root/openconnect-key.pem"
PASSWORD = "/root/openconnect-password"
AUTHORITY = "/root/openconnect-ca.pem"
LOG = "/root/openconnect.log"
PID = "/run/openconnect.pid"
_KEEPER = "/run/openconnect-keeper.pid"
# openconnect goes to the background while its script, which begins with the address, still runs.
_SETTLED = """
until ip -4 -oneline address show dev tun0 2>/dev/null | grep -q inet; do sleep 0.05; done
while pgrep -f '[/]vpnc-script' >/dev/null; do sleep 0.05; done
"""


class Identity(TypedDict, total=False):
    """An access token, a certificate with its key (PEM), both, or a user and its password."""

    token: str
    certificate: tuple[bytes, bytes] | None
    password: tuple[str, str]


def connect(client: Machine, url: str, authority: bytes, **identity: Unpack[Identity]) -> Completed:
    """Sign in at `url` and stay connected, with routes and name servers set.

    `authority` is the certificate (PEM) that the gateway's leaf must come from. The result's standard output
    is what the client said until it was connected, or gave up with an exit code other than 0.
    """
    command = f"{_command(client, url, authority, **identity)} --background --pid-file={PID}"
    # The background process would hold a pipe open for as long as it lives.
    connected = client.shell(f"{command} >{LOG} 2>&1; code=$?; cat {LOG}; exit $code", check=False)
    if connected.code == 0:
        client.shell(_SETTLED, timeout=15)
    return connected


def keep_connected(client: Machine, url: str, authority: bytes, **identity: Unpack[Identity]) -> None:
    """As `connect`, and again whenever the connection has ended, as the app of a device does."""
    command = _command(client, url, authority, **identity)
    again = f"while :; do {command} --reconnect-timeout=1 >{LOG} 2>&1; sleep 1; done"
    client.start(["sh", "-c", f"echo $$ >{_KEEPER}; {again}"])


def _command(client: Machine, url: str, authority: bytes, **identity: Unpack[Identity]) -> str:
    """The client's command line; the files that it names are written."""
    client.write(AUTHORITY, authority)
    words = f"openconnect --protocol=anyconnect --cafile={AUTHORITY} --non-inter {url}"
    if token := identity.get("token"):
        client.write(TOKEN, token, 0o600)
        words += f" --http-auth=Bearer --token-mode=oidc --token-secret=@{TOKEN}"
    if certificate := identity.get("certificate"):
        client.write(CERTIFICATE, certificate[0])
        client.write(KEY, certificate[1], 0o600)
        words += f" --certificate={CERTIFICATE} --sslkey={KEY}"
    if "password" in identity:
        user, password = identity["password"]
        client.write(PASSWORD, f"{password}\n", 0o600)
        words += f" --user={user} --passwd-on-stdin <{PASSWORD}"
    return words


def address(client: Machine, seconds: float = 10) -> str:
    """IPv4 address of the tunnel, or nothing if none appears within `seconds`."""

    def shown() -> str:
        found = client.shell("ip -4 -oneline address show dev tun0 | awk '{print $4}'", check=False).stdout
        return found.strip().partition("/")[0]

    return eventually(shown, seconds)


def disconnect(client: Machine) -> None:
    """End the connection, if there is one, and the process that keeps it; the client removes its routes."""
    client.shell(
        f"[ ! -e {_KEEPER} ] || kill $(cat {_KEEPER}); rm -f {_KEEPER}; pkill -x openconnect", check=False
    )
    # It says goodbye first, also to a gateway that is just being replaced.
    client.shell("while pgrep -x openconnect >/dev/null; do sleep 0.1; done", timeout=60)
