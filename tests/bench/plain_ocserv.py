"""The gateway's ocserv once more on its server, as on a host: no separate network, no scripts, no limits.

It listens at PORT, has the same certificate and the same rules for tokens, and gives its sessions addresses
of another network. What a gateway has less of than this one is what its container costs.
"""

from typing import Final

from tests.testbed.installation import Installation
from tests.testbed.testbed import DOMAIN

PORT: Final = 4443
ADDRESS: Final = f"vpn.{DOMAIN}"
URL: Final = f"https://{ADDRESS}:{PORT}"
_PLACE: Final = "/root/plain-ocserv"
_NETWORK: Final = "172.30.0.0"
_START: Final = f"""
set -e
cp -a /etc/mstunnel {_PLACE}
sed -i -E -e '/-script = /d' -e 's/^((tcp|udp)-port) = .*/\\1 = {PORT}/' -e 's/^device = .*/device = plain/' \
    -e 's/^ipv4-network = .*/ipv4-network = {_NETWORK}/' {_PLACE}/ocserv.conf
nft -f - <<RULES
table ip plain {{
    chain out {{ type nat hook postrouting priority srcnat; ip saddr {_NETWORK}/16 masquerade; }}
}}
RULES
podman run --detach --quiet --name=plain-ocserv --network=host --privileged \
    --volume={_PLACE}:/etc/mstunnel:ro --volume=/root/lab-ca.pem:/etc/ssl/certs/ca-certificates.crt:ro \
    --entrypoint=ocserv --log-driver=none "$1" --foreground --log-stderr --config /etc/mstunnel/ocserv.conf
until curl --silent --insecure --output /dev/null https://127.0.0.1:{PORT}/; do sleep 0.1; done
"""


def start(host: Installation) -> None:
    """Start it beside an installed gateway; return once it answers."""
    host.server.run(["sh", "-c", _START, "sh", host.references["gateway"]], timeout=30)
