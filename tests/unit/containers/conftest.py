"""The marker of tests with real Podman."""

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "podman: runs real containers in separate namespaces (root)")
