"""Random and mutated inputs are read, or refused with a declared error; they cause no other exception.

`FUZZ_FACTOR=100` with `--timeout 0` tries a hundred times as many inputs.
"""

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography import x509
from hypothesis import given, settings
from hypothesis import strategies as st

from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.certificates import der
from mstunnel_setup.certificates.agent_certificate import read_agent_certificate
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.chain_findings import judge
from mstunnel_setup.certificates.load import chain_pem, fingerprint, key_pem, load_identity, load_identity_pfx
from mstunnel_setup.certificates.read import read_material
from mstunnel_setup.certificates.revocation_answers import RevocationState, read_crl, read_ocsp
from tests.cases import every
from tests.refusals import refused
from tests.unit.certificates.pki import NOW, Pki, key_bytes
from tests.unit.certificates.recipes import chain_bytes, element, number, pfx_bytes, with_mac_rounds
from tests.unit.certificates.revocation_material import ISSUER, LEAF, response, revocation_list

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "certificates.md"
PKI = Pki()
SAMPLES = [
    chain_bytes({}, PKI),
    chain_bytes({"form": "der", "chain": ["leaf"]}, PKI),
    chain_bytes({"form": "p7b-der"}, PKI),
    key_bytes("p256"),
    key_bytes("rsa2048"),
    pfx_bytes({"passphrase": ""}, PKI),
    pfx_bytes({}, PKI),
    pfx_bytes({"cipher": "rc2-40"}, PKI),
    pfx_bytes({"cipher": "plain"}, PKI),
    pfx_bytes({"cipher": "pbmac1"}, PKI),
]


ANSWERS = [response(), revocation_list(of_entry=[(x509.CRLReason(x509.ReasonFlags.key_compromise), True)])]
# Each reader gets this number of inputs; the reference page has the sum.
EXAMPLES = {"chain and key": 300, "chain": 200, "pfx": 300, "credential": 100, "address": 100, "answer": 200}


def examples_for(what: str) -> settings:
    """Return settings with the number of inputs in `EXAMPLES`."""
    return settings(max_examples=EXAMPLES[what] * FACTOR, deadline=None)


@st.composite
def mutated(draw: st.DrawFn, samples: Sequence[bytes] = tuple(SAMPLES)) -> bytes:
    """Generate a valid input with a few bytes replaced, removed or inserted."""
    data = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 8))
        data = data[:start] + draw(st.binary(max_size=8)) + data[end:]
    return data


def check_usable(identity: Identity) -> None:
    """Run all functions that callers use on an identity."""
    assert identity.chain[0] == identity.leaf
    assert b"BEGIN CERTIFICATE" in chain_pem(identity)
    assert b"BEGIN PRIVATE KEY" in key_pem(identity)
    assert len(fingerprint(identity)) == 81
    judge(identity, public_address="vpn.example.org", now=NOW, trusted_roots=[PKI.certificate("root")])


@examples_for("chain and key")
@given(st.binary(max_size=200) | mutated(), st.binary(max_size=200) | mutated())
def test_any_chain_and_key_give_a_foreseen_result(chain: bytes, key: bytes) -> None:
    with suppress(SetupError):
        check_usable(load_identity(chain, key))


@examples_for("chain")
@given(mutated())
def test_any_chain_with_a_valid_key_gives_a_foreseen_result(chain: bytes) -> None:
    with suppress(SetupError):
        check_usable(load_identity(chain, key_bytes("p256")))


@examples_for("pfx")
@given(
    st.binary(max_size=200) | mutated(), st.none() | st.sampled_from([b"", b"secret"]) | st.binary(max_size=9)
)
def test_any_pfx_gives_a_foreseen_result(pfx: bytes, passphrase: bytes | None) -> None:
    with suppress(SetupError):
        check_usable(load_identity_pfx(pfx, passphrase))


@examples_for("credential")
@given(st.binary(max_size=200) | mutated())
def test_any_agent_certificate_gives_a_foreseen_result(pfx: bytes) -> None:
    with suppress(SetupError):
        assert read_agent_certificate(pfx).tbs_certificate_bytes


@examples_for("address")
@given(st.text(max_size=80))
def test_any_public_address_gives_a_finding(address: str) -> None:
    identity = load_identity(SAMPLES[0], SAMPLES[3])
    findings = judge(identity, public_address=address, now=NOW)
    assert {finding.code for finding in findings} & {"name-mismatch", "public-address-invalid"}


@examples_for("answer")
@given(st.binary(max_size=200) | mutated(tuple(ANSWERS)))
def test_changed_revocation_answer_is_never_trusted(answer: bytes) -> None:
    """A changed answer has no valid signature, so it never yields another state than the original one."""
    with suppress(SetupError):
        assert read_ocsp(answer, LEAF, ISSUER, NOW).state is RevocationState.GOOD
    with suppress(SetupError):
        assert read_crl(answer, LEAF, ISSUER, NOW).state is RevocationState.REVOKED


def test_reference_has_the_number_of_inputs() -> None:
    text = " ".join(REFERENCE.read_text().split())
    assert f" {100 * sum(EXAMPLES.values()):,} random and mutated inputs" in text


@pytest.mark.timeout(10)
@pytest.mark.parametrize("size", [3_000, 60_000, 400_000])
def test_huge_number_is_refused_quickly(size: int) -> None:
    """Python refuses to print integers with more than 4,300 digits, and converts huge ones for minutes."""
    kind = element(der.OBJECT_IDENTIFIER, b"\xff" * size + b"\x01")
    content = element(der.SEQUENCE, kind + element(der.EXPLICIT_0, b""))
    unknown = element(der.SEQUENCE, number(3) + content)
    for pfx in (unknown, with_mac_rounds(SAMPLES[5], 1 << 8 * size)):
        for read in (read_material, load_identity_pfx, read_agent_certificate):
            with pytest.raises(SetupError):
                read(pfx)


@every("length", [*range(1, 24), *range(24, len(SAMPLES[6]), 31)])
def test_truncated_pfx_is_damaged(length: int) -> None:
    with refused(SetupError, "pfx-damaged"):
        load_identity_pfx(SAMPLES[6][:length], b"secret")
