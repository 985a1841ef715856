"""Shared by the container tests."""

from pathlib import Path

import pytest

from tests.unit.containers.memory import Ports


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "podman: runs real containers in separate namespaces (root)")


@pytest.fixture
def ports(tmp_path: Path) -> Ports:
    """An engine and a systemd in memory."""
    return Ports(tmp_path)
