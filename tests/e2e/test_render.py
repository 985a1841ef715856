"""The manifest for Kubernetes runs a gateway: `podman kube play` is what plays it here."""

import base64
import re

import pytest

from tests.testbed.installation import Installation
from tests.testbed.testbed import INTRANET_PAGE

pytestmark = pytest.mark.e2e

DIRECTORY = "/root/kube"
MANIFEST = f"{DIRECTORY}/mstunnel.yaml"
POD = "mstunnel-pod"
PLAY = ("podman", "kube", "play", "--publish=443:443/tcp", "--publish=443:443/udp", MANIFEST)


def fill_in(gateway: Installation) -> None:
    """Replace each placeholder by the file that it names, as an administrator would."""

    def content(found: re.Match[str]) -> str:
        return base64.b64encode(read(gateway, found[1])).decode()

    text = gateway.server.read(MANIFEST).replace("stringData:", "data:")
    text = text.replace("<addresses of the nodes>", "10.90.0.10")
    gateway.server.write(MANIFEST, re.sub('"<content of (.*)>"', content, text), 0o600)


def read(gateway: Installation, path: str) -> bytes:
    return base64.b64decode(gateway.server.run(["base64", path]).stdout)


def test_the_manifest_serves_a_client(gateway: Installation) -> None:
    written = gateway.setup("render", "kubernetes", "--out", DIRECTORY)
    assert read(gateway, "/etc/mstunnel/private/active/key.pem") not in written.stdout.encode()
    fill_in(gateway)
    for name in ("server", "agent"):
        gateway.program("mst-cli", name, "stop")
    try:
        gateway.server.run(PLAY, timeout=120)
        gateway.server.shell(
            f"until podman exec {POD}-mstunnel-server /usr/libexec/mstunnel/healthcheck; do sleep 0.5; done",
            timeout=60,
        )
        gateway.connect()
        assert gateway.fetch_internal_page().stdout == INTRANET_PAGE
    finally:
        gateway.disconnect()
        gateway.server.run(["podman", "kube", "down", MANIFEST], check=False)
        gateway.server.run(["podman", "network", "rm", "podman-default-kube-network"], check=False)
        for name in ("server", "agent"):
            gateway.program("mst-cli", name, "start")
