"""Whatever the bytes are: an answer, or an error that was foreseen.

`FUZZ_FACTOR=100` tries a hundred times as many: about ten minutes.
"""

import os
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mstunnel_setup.errors import SetupError
from mstunnel_setup.tls.agent_credential import read_agent_credential
from mstunnel_setup.tls.judge import judge
from mstunnel_setup.tls.load import chain_pem, fingerprint, key_pem, load_identity, load_identity_pfx
from mstunnel_setup.tls.model import Identity
from tests.unit.tls.pki import NOW, Pki, key_bytes
from tests.unit.tls.recipes import chain_bytes, pfx_bytes

FACTOR = int(os.environ.get("FUZZ_FACTOR", "1"))
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


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A valid input with a few places overwritten, cut out or doubled."""
    data = draw(st.sampled_from(SAMPLES))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(data)))
        end = start + draw(st.integers(0, 8))
        data = data[:start] + draw(st.binary(max_size=8)) + data[end:]
    return data


def use(identity: Identity) -> None:
    """Everything that a caller does with an identity that was read."""
    assert identity.chain[0] == identity.leaf
    assert b"BEGIN CERTIFICATE" in chain_pem(identity)
    assert b"BEGIN PRIVATE KEY" in key_pem(identity)
    assert len(fingerprint(identity)) == 81
    judge(identity, public_address="vpn.example.org", now=NOW, trusted_roots=[PKI.certificate("root")])


@settings(max_examples=300 * FACTOR, deadline=None)
@given(st.binary(max_size=200) | mutated(), st.binary(max_size=200) | mutated())
def test_any_chain_and_key(chain: bytes, key: bytes) -> None:
    with suppress(SetupError):
        use(load_identity(chain, key))


@settings(max_examples=200 * FACTOR, deadline=None)
@given(mutated())
def test_any_chain_with_the_right_key(chain: bytes) -> None:
    with suppress(SetupError):
        use(load_identity(chain, key_bytes("p256")))


@settings(max_examples=300 * FACTOR, deadline=None)
@given(
    st.binary(max_size=200) | mutated(), st.none() | st.sampled_from([b"", b"secret"]) | st.binary(max_size=9)
)
def test_any_pfx(pfx: bytes, passphrase: bytes | None) -> None:
    with suppress(SetupError):
        use(load_identity_pfx(pfx, passphrase))


@settings(max_examples=100 * FACTOR, deadline=None)
@given(st.binary(max_size=200) | mutated())
def test_any_agent_credential(pfx: bytes) -> None:
    with suppress(SetupError):
        assert read_agent_credential(pfx).certificate_der


@settings(max_examples=100 * FACTOR, deadline=None)
@given(st.text(max_size=80))
def test_any_public_address(address: str) -> None:
    identity = load_identity(SAMPLES[0], SAMPLES[3])
    findings = judge(identity, public_address=address, now=NOW)
    assert {finding.id for finding in findings} & {"name-mismatch", "public-address-invalid"}


@pytest.mark.parametrize("length", [*range(24), *range(24, len(SAMPLES[6]), 31)])
def test_every_prefix_of_a_pfx_is_damaged(length: int) -> None:
    with pytest.raises(SetupError) as caught:
        load_identity_pfx(SAMPLES[6][:length], b"secret")
    assert caught.value.code == "pfx-damaged"
