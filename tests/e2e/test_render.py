"""The manifest for Kubernetes runs a gateway: `podman kube play` is what plays it here."""

import pytest

from tests.e2e.pods import played
from tests.testbed.installation import Installation

pytestmark = pytest.mark.e2e


def test_the_manifest_serves_a_client(gateway: Installation) -> None:
    with played(gateway):
        gateway.visit()
