"""Devices with certificates: the right ones connect, a revoked one and one of another CA do not."""

from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.e2e.conftest import clear
from tests.e2e.pods import played
from tests.testbed import vpn
from tests.testbed.certificates import Authority
from tests.testbed.installation import Installation
from tests.testbed.process import Completed
from tests.testbed.waiting import eventually

pytestmark = pytest.mark.e2e

DEVICES: Final = Authority()
# Of the same name: only the key tells it from the right one.
STRANGERS: Final = Authority()
ADA: Final = DEVICES.issue_device("ada")
GRACE: Final = DEVICES.issue_device("grace")
STRANGER: Final = STRANGERS.issue_device("ada")


@pytest.fixture(scope="module")
def installed(prepared: Installation) -> Iterator[Installation]:
    """A gateway for certificates, on which Grace's is revoked."""
    prepared.restore()
    prepared.server.write(prepared.path("device-ca.pem"), DEVICES.pem, 0o644)
    revoke(prepared, GRACE)
    prepared.write_answers({"authentication": "certificate", "devices": devices(prepared)})
    prepared.setup()
    yield prepared
    assert "device-ca" not in clear(prepared)


def devices(host: Installation) -> dict[str, Any]:
    return {"ca_file": host.path("device-ca.pem"), "crl_file": host.path("device-ca.crl")}


def revoke(host: Installation, *identities: tuple[bytes, bytes]) -> None:
    """Put the list of the CA where the answers say it is."""
    revoked = DEVICES.revocation_list(*(certificate for certificate, _key in identities))
    host.server.write(host.path("device-ca.crl"), revoked, 0o644)


def connect(host: Installation, identity: tuple[bytes, bytes] | None, token: str = "") -> Completed:
    host.disconnect()
    return host.sign_in(token=token, certificate=identity)


def users(host: Installation) -> str:
    return host.server.run(["mst-cli", "server", "show", "users"]).stdout


def test_device_connects_with_its_certificate(installed: Installation) -> None:
    connect(installed, ADA).checked()
    installed.check_page()
    assert "ada" in users(installed)


@pytest.mark.parametrize("identity", [GRACE, STRANGER, None], ids=["revoked", "of-another-ca", "none"])
def test_another_certificate_or_none_lets_nobody_in(
    installed: Installation, identity: tuple[bytes, bytes] | None
) -> None:
    refused = connect(installed, identity, token="" if identity else installed.token())
    assert refused.code != 0, refused.describe()
    assert vpn.address(installed.testbed.client, seconds=1) == ""


def test_a_pod_judges_certificates_alike(installed: Installation) -> None:
    with played(installed):
        connect(installed, ADA).checked()
        installed.check_page()
        assert connect(installed, GRACE).code != 0


def test_a_newer_list_is_taken_without_a_restart(installed: Installation) -> None:
    started = installed.started()
    try:
        revoke(installed, GRACE, ADA)
        installed.setup("step", "certificate")
        assert eventually(lambda: connect(installed, ADA).code != 0, seconds=8)
    finally:
        revoke(installed, GRACE)
        installed.setup("step", "certificate")
    assert eventually(lambda: connect(installed, ADA).code == 0, seconds=8)
    assert installed.started() == started


def test_either_a_token_or_a_certificate_is_enough(installed: Installation) -> None:
    also = {"authentication": "oidc", "authentication_also": "certificate", "devices": devices(installed)}
    installed.write_answers(also)
    # The gateway restarts for another way to authenticate; who runs the set-up may connect when it has ended.
    installed.setup()
    connect(installed, None, token=installed.token()).checked()
    assert installed.token_user() in users(installed)
    connect(installed, ADA).checked()
    assert "ada" in users(installed)
    assert connect(installed, GRACE, token=installed.token()).code != 0
    assert connect(installed, None).code != 0
