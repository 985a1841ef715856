"""Load certificate, key and chain, encode them for the gateway, and keep secrets out of messages."""

import re
import shlex
import subprocess
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mstunnel_setup.base.errors import CertificateError, ExitCode
from mstunnel_setup.base.problem import Severity
from mstunnel_setup.certificates.certificate import Material
from mstunnel_setup.certificates.chain_building import prefer_trusted
from mstunnel_setup.certificates.chain_findings import judge
from mstunnel_setup.certificates.load import (
    IdentitySource,
    chain_pem,
    fingerprint,
    key_pem,
    load_identity,
    load_identity_files,
    load_identity_pfx,
    root_pem,
)
from mstunnel_setup.certificates.read import Source, read_material
from mstunnel_setup.io.files import Files
from tests.refusals import refused
from tests.unit.certificates.pki import NOW, Pki, key_bytes
from tests.unit.certificates.recipes import armoured, chain_bytes, pfx_bytes

PKI = Pki()
ALL = chain_bytes({"chain": ["root", "inter", "leaf"]}, PKI)
KEY = key_bytes("p256")
PARTS = ("leaf", "inter", "cross", "root", "stranger")


def test_served_chain_is_leaf_first_without_root() -> None:
    served = x509.load_pem_x509_certificates(chain_pem(load_identity(ALL, KEY)))
    assert served == [PKI.certificate("leaf"), PKI.certificate("inter")]


def test_self_signed_leaf_is_served() -> None:
    pki = Pki({"leaf": {"issuer": "leaf"}})
    assert chain_pem(load_identity(pki.pem("leaf"), KEY)) == pki.pem("leaf")


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_key_is_written_as_pkcs8(form: PrivateFormat) -> None:
    identity = load_identity(ALL, key_bytes("p256", form=form))
    assert key_pem(identity).startswith(b"-----BEGIN PRIVATE KEY-----")
    again = load_pem_private_key(key_pem(identity), None)
    assert again.public_key() == identity.leaf.public_key()


def test_other_key_header_does_not_mean_encrypted() -> None:
    begin, _, rest = KEY.partition(b"\n")
    key = b"\n".join((begin, b"Comment: from the vault", b"", rest))
    assert fingerprint(load_identity(ALL, key)) == fingerprint(load_identity(ALL, KEY))


def test_pem_and_pfx_give_the_same_fingerprint() -> None:
    assert fingerprint(load_identity(ALL, KEY)) == fingerprint(
        load_identity_pfx(pfx_bytes({}, PKI), b"secret")
    )


def test_fingerprint_depends_on_leaf_and_chain() -> None:
    identity = load_identity(ALL, KEY)
    alone = replace(identity, chain=identity.chain[:1])
    leaf = identity.leaf.fingerprint(hashes.SHA256()).hex()
    assert fingerprint(identity).partition("-")[0] == fingerprint(alone).partition("-")[0] == leaf
    assert fingerprint(identity) != fingerprint(alone)


def test_loading_the_served_files_gives_the_same_identity() -> None:
    identity = load_identity(ALL, KEY)
    again = load_identity(chain_pem(identity), key_pem(identity))
    assert fingerprint(again) == fingerprint(identity)
    assert chain_pem(again) == chain_pem(identity)


@settings(max_examples=200, deadline=None)
@given(st.permutations(PARTS), st.lists(st.integers(0, 3), min_size=len(PARTS), max_size=len(PARTS)))
def test_order_and_file_of_certificates_do_not_matter(order: list[str], where: list[int]) -> None:
    files: dict[str, bytes] = defaultdict(bytes)
    for name, number in zip(order, where, strict=True):
        files[f"/{number}.pem"] += PKI.pem(name)
    identity = prefer_trusted(load_identity_files(files, KEY), [PKI.certificate("root")], NOW)
    assert identity.leaf == PKI.certificate("leaf")
    assert identity.chain == tuple(map(PKI.certificate, ("leaf", "inter", "root")))
    assert set(identity.given) == set(map(PKI.certificate, PARTS))
    assert fingerprint(identity) == fingerprint(load_identity(ALL, KEY))
    findings = judge(identity, public_address=None, now=NOW, trusted_roots=[PKI.certificate("root")])
    ids = {finding.code for finding in findings} - {"chain-reordered"}
    assert ids == {"chain-cross-signed", "root-included", "certificate-unused"}


def test_error_names_the_damaged_one_of_several_files() -> None:
    files = {"/root/leaf.pem": PKI.pem("leaf"), "/root/inter.pem": PKI.pem("inter")[:-9]}
    with pytest.raises(CertificateError, match=r"^/root/inter\.pem: the certificate file is damaged"):
        load_identity_files(files, KEY)


@pytest.mark.parametrize("content", [b"", b"\n \t\r\n"])
@pytest.mark.parametrize("source", ["certificate", "key"])
def test_empty_input_has_no_certificates(content: bytes, source: Source) -> None:
    assert read_material(content, source) == Material()
    with refused(CertificateError, "input-without-certificate"):
        load_identity(content, KEY)


@pytest.mark.parametrize("content", [b"", b" \n"])
def test_error_names_an_empty_file(tmp_path: Path, content: bytes) -> None:
    chain, key = tmp_path / "site.crt", tmp_path / "site.key"
    chain.write_bytes(content)
    key.write_bytes(KEY)
    with refused(CertificateError, "input-empty", match=str(chain)):
        IdentitySource(chain=str(chain), key=str(key)).read(Files(Path("/")), lambda _reference: None)


# OpenSSL appends such trust settings (here an alias) to a TRUSTED CERTIFICATE.
_TRUST_SETTINGS = bytes.fromhex("30060c0461626364")


@pytest.mark.parametrize("armour", [True, False])
def test_trusted_certificate_is_read_without_trust_settings(armour: bool) -> None:
    trusted = PKI.certificate("leaf").public_bytes(Encoding.DER) + _TRUST_SETTINGS
    content = armoured("TRUSTED CERTIFICATE", trusted) if armour else trusted
    assert read_material(content).certificates == (PKI.certificate("leaf"),)


def test_pfx_with_an_invalid_salt_is_damaged() -> None:
    good = pfx_bytes({"passphrase": "secret"}, PKI)
    # The parameters follow the identifier of PBKDF2 (1.2.840.113549.1.5.12) and begin with the salt.
    at = good.index(bytes.fromhex("2a864886f70d01050c")) + 9
    assert (good[at], good[at + 2]) == (0x30, 0x04)
    damaged = bytearray(good)
    damaged[at + 2] = 0x0C
    # The damage is reported even without a passphrase.
    with refused(CertificateError, "pfx-damaged"):
        load_identity_pfx(bytes(damaged))


def test_key_and_passphrase_are_not_in_messages() -> None:
    identity = load_identity(ALL, KEY)
    assert "PrivateKey" not in repr(identity)
    assert "PrivateKey" not in repr(read_material(KEY))
    canary = b"canary-7d1f"
    with pytest.raises(CertificateError) as caught:
        load_identity_pfx(pfx_bytes({}, PKI), canary)
    assert canary.decode() not in f"{caught.value!r} {caught.value.hint!s}"


def test_error_about_a_broken_key_does_not_quote_it() -> None:
    lines = KEY.splitlines()
    broken = b"\n".join([lines[0], lines[1][:-8], *lines[2:]])
    with refused(CertificateError, "key-unreadable") as caught:
        load_identity(ALL, broken)
    assert caught.value.exit_code is ExitCode.CERTIFICATE
    for piece in re.findall(rb"[A-Za-z0-9+/]{12,}", b"\n".join(lines[1:-1])):
        assert piece[:12].decode() not in f"{caught.value} {caught.value.hint!s} {caught.value.__cause__!r}"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_encrypted_key_is_refused_with_the_decrypting_command(tmp_path: Path, form: PrivateFormat) -> None:
    locked = load_pem_private_key(KEY, None).private_bytes(
        Encoding.PEM, form, BestAvailableEncryption(b"secret")
    )
    with refused(CertificateError, "key-encrypted") as caught:
        load_identity(ALL, locked)
    (tmp_path / "KEY").write_bytes(locked)
    (command,) = re.findall(r"`(openssl [^`]*)`", caught.value.hint)
    subprocess.run([*shlex.split(command), "-passin", "pass:secret"], cwd=tmp_path, check=True)
    assert load_identity(ALL, (tmp_path / "site.key").read_bytes()).leaf == PKI.certificate("leaf")


def test_control_characters_of_a_name_are_not_displayed() -> None:
    pki = Pki({"stranger": {"subject": "evil\x1b[2J\nname"}})
    identity = load_identity(pki.pem("leaf") + pki.pem("inter") + pki.pem("stranger"), KEY)
    findings = judge(identity, public_address=None, now=NOW, trusted_roots=[pki.certificate("root")])
    assert [finding.code for finding in findings] == ["certificate-unused"]
    assert findings[0].message.isprintable()


def test_errors_come_first() -> None:
    pki = Pki({"leaf": {"names": ["a.example.net"], "start": -80}})
    identity = load_identity(pki.pem("inter") + pki.pem("leaf"), KEY)
    findings = judge(
        identity, public_address="vpn.example.org", now=NOW, trusted_roots=[pki.certificate("root")]
    )
    assert [finding.severity for finding in findings] == [Severity.ERROR, Severity.WARNING, Severity.NOTE]


def test_hint_names_the_download_address_of_a_missing_issuer() -> None:
    pki = Pki({"leaf": {"issuer_url": "http://ca.example.org/inter.cer"}})
    (finding,) = judge(load_identity(pki.pem("leaf"), KEY), public_address=None, now=NOW)
    assert finding.code == "chain-incomplete"
    assert "http://ca.example.org/inter.cer" in finding.hint


def test_passphrase_with_a_zero_byte_is_wrong() -> None:
    """`cryptography` itself would fail with such a passphrase."""
    for cipher, code in (("aes", "pfx-passphrase-wrong"), ("mac-md5", "pfx-legacy-algorithm")):
        with refused(CertificateError, code):
            load_identity_pfx(pfx_bytes({"cipher": cipher}, PKI), b"secret\0")


def test_root_is_available_besides_the_served_chain() -> None:
    identity = load_identity(ALL, KEY)
    assert x509.load_pem_x509_certificates(root_pem(identity)) == [PKI.certificate("root")]
    assert root_pem(load_identity(PKI.pem("leaf"), KEY)) == b""
