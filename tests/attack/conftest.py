"""The attacks run on the testbed of the end-to-end tests."""

from tests.e2e.conftest import gateway, host, prepared

__all__ = ["gateway", "host", "prepared"]
