"""The server as an installation may find and leave it."""

from collections.abc import Mapping
from dataclasses import replace

from tests.testbed.installation import Installation
from tests.testbed.machine import Entry

# Different in every installation by nature: ids of the tenant, keys, times.
_OF_ONE_RUN = (
    *("/agent-info.json", "/AgentSettings.json", "/agent.p12"),
    *("/journal.jsonl", "/journal-copy.jsonl", "/receipt.json", "/setup.log"),
)


def host_tree(host: Installation) -> dict[str, Entry]:
    """Every path of the server that an installation could change, without times of modification.

    Directories that files came to and went from have a newer one.
    """
    return {
        path: replace(entry, modified=0)
        for path, entry in host.server.snapshot(host.testbed.kind.trees).items()
    }


def tree_of_any_run(host: Installation) -> dict[str, Entry]:
    """As `host_tree`; of files that differ by nature only that they are there, and how."""
    return {
        path: replace(entry, content="") if path.endswith(_OF_ONE_RUN) else entry
        for path, entry in host_tree(host).items()
    }


def differences(wanted: Mapping[str, Entry], found: Mapping[str, Entry]) -> list[str]:
    """The paths that differ."""
    return [path for path in sorted({**wanted, **found}) if wanted.get(path) != found.get(path)]
