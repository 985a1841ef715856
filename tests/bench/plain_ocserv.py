"""The gateway's ocserv twice more on its server, as an administrator would start it by hand.

`podman run`: the same image with published ports, what a gateway is compared with. `host`: on the host's
network, the limit of what a container can reach. Both have the gateway's certificate and rules for tokens,
give their sessions addresses of another network, and run no scripts, no health checks and no agent.
"""

from typing import Final

from tests.testbed.installation import Installation
from tests.testbed.testbed import DOMAIN

PORTS: Final = {"gateway": 443, "podman-run": 5443, "host": 4443}
"""Where each of the three servers listens on the same host."""
TITLES: Final = {"gateway": "gateway", "podman-run": "`podman run`", "host": "ocserv on the host"}
URLS: Final = {name: f"https://vpn.{DOMAIN}:{port}" for name, port in PORTS.items()}
CONTAINER: Final = "by-hand"
"""The container of `podman run`."""
_ON_HOST: Final = "on-host"
_START: Final = """
set -e
name="$1" port="$2" network="$3" image="$4"
shift 4
cp -a /etc/mstunnel "/root/$name"
sed -i -E -e '/-script = /d' -e "s/^((tcp|udp)-port) = .*/\\1 = $port/" \
    -e "s/^device = .*/device = $name/" -e "s/^ipv4-network = .*/ipv4-network = $network/" \
    "/root/$name/ocserv.conf"
cat >"/root/$name/start" <<START
nft add table ip plain
nft 'add chain ip plain out { type nat hook postrouting priority srcnat; }'
nft add rule ip plain out ip saddr $network/16 masquerade
exec ocserv --foreground --log-stderr --config /etc/mstunnel/ocserv.conf
START
podman run --detach --quiet --name="$name" --volume="/root/$name:/etc/mstunnel:ro" \
    --volume=/root/lab-ca.pem:/etc/ssl/certs/ca-certificates.crt:ro --log-driver=none --entrypoint=sh \
    "$@" "$image" /etc/mstunnel/start
until curl --silent --insecure --output /dev/null "https://127.0.0.1:$port/"; do sleep 0.1; done
"""


def start(host: Installation) -> None:
    """Start both beside an installed gateway; return once they answer."""
    port = PORTS["podman-run"]
    published = [f"--publish={port}:{port}/{protocol}" for protocol in ("tcp", "udp")]
    needed = ["--cap-add=NET_ADMIN", "--device=/dev/net/tun", "--sysctl=net.ipv4.ip_forward=1"]
    _start(host, CONTAINER, port, "172.31.0.0", *needed, *published)
    _start(host, _ON_HOST, PORTS["host"], "172.30.0.0", "--network=host", "--privileged")
    # The host of an installation forwards for the networks of the gateway alone.
    rule = f'insert rule inet mstunnel-forwarding forward iifname "{_ON_HOST}*" accept\n'
    host.server.run(["nft", "--file", "-"], stdin=rule)


def _start(host: Installation, name: str, port: int, network: str, *options: str) -> None:
    words = [name, f"{port}", network, host.references["gateway"], *options]
    host.server.run(["sh", "-c", _START, "sh", *words], timeout=60)
