"""The real VPN client on a machine of the testbed."""

import time

from tests.testbed.machine import Machine
from tests.testbed.process import Completed

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


def connect(
    client: Machine,
    url: str,
    *,
    authority: str,
    token: str = "",
    certificate: tuple[bytes, bytes] | None = None,
    password: tuple[str, str] | None = None,
) -> Completed:
    """Sign in at `url` and stay connected, with routes and name servers set.

    The client presents an access token, a certificate with its key (PEM), both, or a user and its password.
    `authority` is the certificate (PEM) that the gateway's leaf must come from. The result's standard output
    is what the client said until it was connected, or gave up with an exit code other than 0.
    """
    identity = _certificate(client, *certificate) if certificate else ""
    identity += _password(client, *password) if password else ""
    command = f"{_prepared(client, url, token, authority)} {identity} --background --pid-file={PID}"
    # The background process would hold a pipe open for as long as it lives.
    connected = client.shell(f"{command} >{LOG} 2>&1; code=$?; cat {LOG}; exit $code", check=False)
    if connected.code == 0:
        client.shell(_SETTLED, timeout=15)
    return connected


def keep_connected(
    client: Machine,
    url: str,
    *,
    authority: str,
    token: str = "",
    certificate: tuple[bytes, bytes] | None = None,
) -> None:
    """As `connect`, and again whenever the connection has ended, as the app of a device does."""
    identity = _certificate(client, *certificate) if certificate else ""
    prepared = f"{_prepared(client, url, token, authority)} {identity}"
    again = f"while :; do {prepared} --reconnect-timeout=1 >{LOG} 2>&1; sleep 1; done"
    client.start(["sh", "-c", f"echo $$ >{_KEEPER}; {again}"])


def _prepared(client: Machine, url: str, token: str, authority: str) -> str:
    client.write(TOKEN, token, 0o600)
    client.write(AUTHORITY, authority)
    sign_in = f"--http-auth=Bearer --token-mode=oidc --token-secret=@{TOKEN}" if token else ""
    return f"openconnect --protocol=anyconnect {sign_in} --cafile={AUTHORITY} --non-inter {url}"


def _certificate(client: Machine, certificate: bytes, key: bytes) -> str:
    client.write(CERTIFICATE, certificate)
    client.write(KEY, key, 0o600)
    return f"--certificate={CERTIFICATE} --sslkey={KEY}"


def _password(client: Machine, user: str, password: str) -> str:
    client.write(PASSWORD, f"{password}\n", 0o600)
    return f"--user={user} --passwd-on-stdin <{PASSWORD}"


def address(client: Machine, seconds: float = 10) -> str:
    """IPv4 address of the tunnel, or nothing if none appears within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = client.shell("ip -4 -oneline address show dev tun0 | awk '{print $4}'", check=False).stdout
        if found.strip() or time.monotonic() > deadline:
            return found.strip().partition("/")[0]
        time.sleep(0.2)


def disconnect(client: Machine) -> None:
    """End the connection, if there is one, and the process that keeps it; the client removes its routes."""
    client.shell(
        f"[ ! -e {_KEEPER} ] || kill $(cat {_KEEPER}); rm -f {_KEEPER}; pkill -x openconnect", check=False
    )
    # It says goodbye first, also to a gateway that is just being replaced.
    client.shell("while pgrep -x openconnect >/dev/null; do sleep 0.1; done", timeout=60)
