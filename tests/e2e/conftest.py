"""One booted testbed for all installation tests; each test leaves the server without a gateway."""

from collections.abc import Iterator

import pytest

from tests.testbed.installation import Installation
from tests.testbed.testbed import Testbed


@pytest.fixture(scope="session")
def prepared() -> Iterator[Installation]:
    with Testbed() as testbed:
        installation = Installation(testbed, testbed.start_registry().references)
        installation.prepare()
        yield installation


@pytest.fixture
def host(prepared: Installation) -> Iterator[Installation]:
    """A server ready for an installation; whatever a test leaves behind is removed."""
    prepared.restore()
    yield prepared
    prepared.disconnect()
    prepared.uninstall()
    # Uninstall keeps what a test changed by hand; the next test starts without it.
    prepared.server.run(["rm", "-rf", "/etc/mstunnel"])
