"""The agent renews its own credential, against a running lab that checks every proof."""

import dataclasses
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mstunnel_setup.agent.loop import Agent
from mstunnel_setup.agent.metrics import Counters
from mstunnel_setup.agent.tenant import CANDIDATE, Enrolment, Renewal, enrol
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SignInError, TenantError
from mstunnel_setup.certificates.agent_certificate import new_agent_certificate
from mstunnel_setup.tenant.client_credential import Credential, proof_of_possession, read_credential
from tests.unit.agent.test_against_lab import Installed, installed  # noqa: F401 (a fixture)
from tests.unit.clocks import FakeClock
from tests.unit.present import present
from tests.unit.tenant.credentials import rsa_key


@pytest.fixture(scope="module", autouse=True)
def few_keys() -> Iterator[None]:
    """Use two keys in turn for all credentials of this file: making one takes longer than a test."""
    with pytest.MonkeyPatch.context() as patched:
        keys = itertools.cycle([rsa_key(1), rsa_key(2)])
        patched.setattr(rsa, "generate_private_key", lambda **_options: next(keys))
        yield


class Soon(FakeClock):
    """The time of day, and a monotonic clock that the test advances."""

    def now(self) -> datetime:
        return datetime.now(UTC)


def age(server: Installed, days: int) -> None:
    """Give the agent a credential with this many days left; the tenant knows no other."""
    pfx, _ = new_agent_certificate("agent of gw1", datetime.now(UTC), days)
    server.files.write(paths.AGENT_CREDENTIAL, pfx, 0o600)
    server.graph.set_credential(server.object_id, credential(server).key_credential("agent"))


@pytest.fixture
def ageing(installed: Installed) -> Iterator[Installed]:  # noqa: F811 (the fixture)
    age(installed, 40)
    installed.files.make_directories(paths.AGENT_STATE)
    yield installed
    installed.files.remove(CANDIDATE)


@pytest.fixture
def enrolment(ageing: Installed) -> Iterator[Enrolment]:
    made = enrol(ageing.files, Soon())
    yield made
    made.close()


def renewal(ageing: Installed, log: list[str], clock: FakeClock | None = None) -> Renewal:
    return Renewal(ageing.files, clock or Soon(), log.append, Counters())


def credential(ageing: Installed) -> Credential:
    return read_credential(ageing.files, paths.AGENT_CREDENTIAL)


def known_keys(ageing: Installed) -> int:
    return len(present(ageing.graph.application(ageing.object_id)).key_credentials)


def candidate(ageing: Installed, days: int = 365) -> bytes:
    pfx, _ = new_agent_certificate("agent of gw1", datetime.now(UTC), days)
    ageing.files.write(CANDIDATE, pfx, 0o600)
    return pfx


def not_yet(_credential: Credential) -> None:
    raise SignInError("credential-refused", "the tenant does not know this certificate", "")


def test_credential_near_its_end_is_renewed_and_used(ageing: Installed) -> None:
    old, log, clock = credential(ageing), list[str](), Soon()
    renewing = renewal(ageing, log, clock)
    counters = renewing.counters
    agent = Agent(lambda: enrol(ageing.files, clock), ageing.files, clock, log.append, renewal=renewing)
    assert agent.round() is None

    new = credential(ageing)
    assert new.certificate != old.certificate
    assert new.certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=364)
    assert ageing.files.state(CANDIDATE) is None
    assert present(ageing.files.state(paths.AGENT_CREDENTIAL)).mode == 0o600
    assert (counters.identity_renewals, known_keys(ageing)) == (1, 2)
    assert "identity-renewed" in "".join(log)

    assert agent.round() is None, "the next round signs in with the new one"
    assert (counters.identity_renewals, known_keys(ageing)) == (1, 2)


def test_credential_with_time_left_is_not_renewed(ageing: Installed) -> None:
    age(ageing, 46)
    enrolment = enrol(ageing.files, Soon())
    assert not renewal(ageing, []).renew_in_time(enrolment)
    enrolment.close()
    assert known_keys(ageing) == 1


def test_prepared_application_is_not_renewed(ageing: Installed, enrolment: Enrolment) -> None:
    prepared = dataclasses.replace(enrolment, object_id="")
    assert not renewal(ageing, []).renew_in_time(prepared)
    assert ageing.files.read(CANDIDATE) is None


def test_slow_tenant_gets_time_and_only_one_candidate(ageing: Installed, enrolment: Enrolment) -> None:
    """Check a slow tenant: Entra takes a while to know a new certificate; a kill leaves the same state."""
    clock = Soon()
    waiting = renewal(ageing, [], clock)
    assert not waiting.renew_in_time(dataclasses.replace(enrolment, prove=not_yet))
    made = ageing.files.read(CANDIDATE)
    assert not waiting.renew_in_time(enrolment), "once an hour"
    clock.sleep(3600)
    assert waiting.renew_in_time(enrolment)
    assert ageing.files.read(paths.AGENT_CREDENTIAL) == made
    assert known_keys(ageing) == 2


def test_candidate_unknown_to_the_tenant_is_submitted(ageing: Installed, enrolment: Enrolment) -> None:
    """Check a kill between the write of the file and the request to the tenant."""
    made = candidate(ageing)
    assert renewal(ageing, []).renew_in_time(enrolment)
    assert ageing.files.read(paths.AGENT_CREDENTIAL) == made


@pytest.mark.parametrize("damaged", [False, True])
def test_outdated_or_damaged_candidate_is_replaced(
    ageing: Installed, enrolment: Enrolment, damaged: bool
) -> None:
    """Check a candidate that was never accepted before `mst-cli reenroll`, and a damaged one."""
    useless = candidate(ageing, 39)
    if damaged:
        ageing.files.write(CANDIDATE, b"damaged", 0o600)
    assert renewal(ageing, []).renew_in_time(enrolment)
    assert ageing.files.read(paths.AGENT_CREDENTIAL) != useless
    assert credential(ageing).certificate.not_valid_after_utc - datetime.now(UTC) > timedelta(days=364)


def test_refused_renewal_keeps_the_old_credential(ageing: Installed, enrolment: Enrolment) -> None:
    old, log = ageing.files.read(paths.AGENT_CREDENTIAL), list[str]()
    elsewhere = dataclasses.replace(enrolment, object_id="00000000-0000-0000-0000-000000000000")
    assert not renewal(ageing, log).renew_in_time(elsewhere)
    assert ageing.files.read(paths.AGENT_CREDENTIAL) == old
    assert log[0].startswith("identity-not-renewed: ")


@pytest.mark.parametrize("fault", ["another key", "another application", "yesterday"])
def test_lab_refuses_invalid_proofs(ageing: Installed, fault: str) -> None:
    candidate(ageing)
    own, other, now = credential(ageing), read_credential(ageing.files, CANDIDATE), datetime.now(UTC)
    proof = proof_of_possession(
        other if fault == "another key" else own,
        ageing.object_id if fault != "another application" else ageing.site_id,
        now - timedelta(days=1) if fault == "yesterday" else now,
    )
    with pytest.raises((SignInError, TenantError)):
        ageing.graph.add_key(ageing.object_id, other.key_credential("thief"), proof)
    assert known_keys(ageing) == 1
