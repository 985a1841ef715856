"""The server as an installation may find and leave it."""

from dataclasses import replace

from tests.testbed.installation import Installation
from tests.testbed.machine import Entry


def host_tree(host: Installation) -> dict[str, Entry]:
    """Every path of the server that an installation could change, without times of modification."""
    return {
        path: replace(entry, modified=0)
        for path, entry in host.server.snapshot(host.testbed.kind.trees).items()
    }
