"""The attacks run on the testbed of the end-to-end tests, all of them in `make e2e`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import gateway, host, prepared

__all__ = ["gateway", "host", "prepared"]


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A directory that the attacker can reach: the directories of pytest are root's alone."""
    directory = Path("/run") / f"attack-{os.getpid()}"
    directory.mkdir()
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this directory; the hook sees the tests of all directories."""
    for item in items:
        if item.nodeid.startswith("tests/attack/"):
            item.add_marker(pytest.mark.attack)
