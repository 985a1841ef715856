"""One booted testbed for all installation tests; each test leaves the server without a gateway."""

from collections.abc import Iterator

import pytest

from tests.testbed.installation import Installation

# Begun last, one of these files would keep one worker busy long after the other.
_BEGUN_FIRST = ("test_upgrade", "test_installation", "test_hosts", "test_refusals")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the main flow, then with what takes longest."""
    items.sort(key=lambda item: (item.get_closest_marker("core") is None, item.path.stem not in _BEGUN_FIRST))


@pytest.fixture(scope="session")
def prepared() -> Iterator[Installation]:
    with Installation.booted() as installation:
        yield installation


@pytest.fixture(scope="module")
def gateway(prepared: Installation) -> Iterator[Installation]:
    """One installed gateway for all tests of a file."""
    prepared.restore()
    prepared.setup()
    yield prepared
    clear(prepared)


@pytest.fixture
def host(prepared: Installation) -> Iterator[Installation]:
    """A server ready for an installation; whatever a test leaves behind is removed."""
    prepared.restore()
    yield prepared
    clear(prepared)


def clear(installation: Installation) -> str:
    """Remove the gateway, whatever state it is in, and what a test changed by hand; what it left."""
    installation.disconnect()
    installation.uninstall()
    # Uninstall keeps what a test changed by hand; the next one starts without it.
    left = installation.server.run(["ls", "-R", "/etc/mstunnel"], check=False).stdout
    installation.server.run(["rm", "-rf", "/etc/mstunnel"])
    return left
