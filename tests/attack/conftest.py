"""The attacks run on the testbed of the end-to-end tests, all of them in `make e2e`."""

import pytest

from tests.e2e.conftest import gateway, host, prepared

__all__ = ["gateway", "host", "prepared"]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies in this directory; the hook sees the tests of all directories."""
    for item in items:
        if item.nodeid.startswith("tests/attack/"):
            item.add_marker(pytest.mark.attack)
