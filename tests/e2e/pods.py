"""A gateway as a pod: the manifest of an installation, played by Podman in its place."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from tests.testbed.installation import Installation

DIRECTORY: Final = "/root/kube"
MANIFEST: Final = f"{DIRECTORY}/mstunnel.yaml"
POD: Final = "mstunnel-pod"
PLAY: Final = ("podman", "kube", "play", "--publish=443:443/tcp", "--publish=443:443/udp", MANIFEST)


@contextmanager
def played(gateway: Installation) -> Iterator[None]:
    """The pod serves until the end of the block, and then the containers of the host again."""
    written = gateway.setup("render", "kubernetes", "--out", DIRECTORY)
    assert _read(gateway, "/etc/mstunnel/private/active/key.pem") not in written.stdout.encode()
    _fill_in(gateway)
    for name in ("server", "agent"):
        gateway.program("mst-cli", name, "stop")
    try:
        gateway.server.run(PLAY, timeout=120)
        gateway.server.shell(
            f"until podman exec {POD}-mstunnel-server /usr/libexec/mstunnel/healthcheck; do sleep 0.5; done",
            timeout=60,
        )
        yield
    finally:
        gateway.disconnect()
        gateway.server.run(["podman", "kube", "down", MANIFEST], check=False)
        gateway.server.run(["podman", "network", "rm", "podman-default-kube-network"], check=False)
        for name in ("server", "agent"):
            gateway.program("mst-cli", name, "start")


def _fill_in(gateway: Installation) -> None:
    """Replace each placeholder by the file that it names, as an administrator would."""

    def content(found: re.Match[str]) -> str:
        return base64.b64encode(_read(gateway, found[1])).decode()

    text = gateway.server.read(MANIFEST).replace("stringData:", "data:")
    text = text.replace("<addresses of the nodes>", "10.90.0.10")
    gateway.server.write(MANIFEST, re.sub('"<(?:content|base64) of (.*)>"', content, text), 0o600)


def _read(gateway: Installation, path: str) -> bytes:
    return base64.b64decode(gateway.server.run(["base64", path]).stdout)
