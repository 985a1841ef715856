"""A host with the directories through which agent and host exchange files."""

from pathlib import Path

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.io.files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Return the files of a host with the directories of both, which are empty."""
    files = Files(tmp_path)
    for directory in (paths.CONFIGURATION, paths.INBOX, paths.OUTBOX, paths.AGENT_STATE, paths.STATE):
        files.make_directories(directory)
    return files
