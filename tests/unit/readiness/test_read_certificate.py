"""The certificate for the checks: read from its paths, judged, and checked for revocation."""

import time
from collections.abc import Mapping
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.certificates.load import IdentitySource
from mstunnel_setup.io.files import Files
from mstunnel_setup.readiness.facts.certificate import CertificateFacts, CertificateReader, RevocationFacts
from tests.unit.certificates.pki import NOW, Pki, key_bytes
from tests.unit.certificates.recipes import pfx_bytes
from tests.unit.clocks import StoppedClock


class Unreachable:
    """A session in a network without any connection."""

    asked: list[str]

    def __init__(self) -> None:
        self.asked = []

    def get(self, url: str, **options: Any) -> Any:
        self.asked.append(url)
        raise NetworkError("network-timeout", f"{url} did not answer in time")

    def post(self, url: str, params: Mapping[str, str] | None = None, **options: Any) -> Any:
        return self.get(url)

    def close(self) -> None:
        self.asked.append("closed")


def reader(
    root: Path, named: IdentitySource | None = None, address: str = "", **options: Any
) -> CertificateReader:
    session = options.get("session", Unreachable())
    return CertificateReader(
        Files(root),
        StoppedClock(NOW),
        named or IdentitySource(),
        options.get("passphrase", lambda _reference: None),
        address,
        options.get("lab", False),
        lambda: session,
    )


@pytest.fixture
def pki() -> Pki:
    return Pki()


@pytest.fixture
def root(tmp_path: Path, pki: Pki) -> Path:
    """Return a host with a certificate at its usual path, whose private root is trusted."""
    files = Files(tmp_path)
    for directory in (paths.CERTIFICATES, paths.PRIVATE, paths.CA_TRUST):
        files.make_directories(directory)
    files.write(paths.SITE_CERTIFICATE, pki.pem("leaf") + pki.pem("inter"))
    files.write(paths.SITE_KEY, key_bytes(pki.key_name("leaf")), 0o600)
    files.write(f"{paths.CA_TRUST}/own.crt", pki.pem("root"))
    return tmp_path


def test_no_certificate_yet(tmp_path: Path) -> None:
    assert reader(tmp_path).certificate() == CertificateFacts()
    assert reader(tmp_path).revocation() == RevocationFacts()


def test_certificate_at_the_usual_path_is_read(root: Path) -> None:
    found = reader(root).certificate()

    assert found.place == str(root / "etc/mstunnel/certs/site.crt")
    assert (found.problem, [item.code for item in found.findings if item.severity == "error"]) == ("", [])
    assert found.days_left is not None
    assert found.days_left > 0


def test_certificate_is_compared_with_the_address(root: Path) -> None:
    found = reader(root, address="other.example.net").certificate()

    assert "name-mismatch" in {item.code for item in found.findings}


def test_certificate_at_a_given_path_is_read(root: Path, tmp_path: Path, pki: Pki) -> None:
    chain, key = tmp_path / "chain.pem", tmp_path / "other.pem"
    chain.write_bytes(pki.pem("leaf"))
    key.write_bytes(key_bytes("p256/stranger"))

    found = reader(root, IdentitySource(chain=str(chain), key=str(key))).certificate()

    assert found.place == str(chain)
    assert found.problem
    assert found.hint


def test_chain_in_several_files_is_read(root: Path, tmp_path: Path, pki: Pki) -> None:
    leaf, inter, key = (str(tmp_path / name) for name in ("leaf.pem", "inter.pem", "key.pem"))
    Path(leaf).write_bytes(pki.pem("leaf"))
    Path(inter).write_bytes(pki.pem("inter"))
    Path(key).write_bytes(key_bytes(pki.key_name("leaf")))

    found = reader(root, IdentitySource(chain=inter, further=(leaf,), key=key)).certificate()

    assert (found.place, found.problem) == (f"{inter} and {leaf}", "")
    assert [item.code for item in found.findings if item.severity == "error"] == []


def test_missing_certificate_file_is_reported(root: Path) -> None:
    found = reader(root, IdentitySource(chain="/nowhere/chain.pem")).certificate()

    assert found.problem == "the file /nowhere/chain.pem does not exist"


def test_unreachable_authorities_are_reported(tmp_path: Path) -> None:
    pki = Pki({"leaf": {"responder_url": "http://ocsp.example.net/"}})
    chain, key = tmp_path / "chain.pem", tmp_path / "key.pem"
    chain.write_bytes(pki.pem("leaf") + pki.pem("inter") + pki.pem("root"))
    key.write_bytes(key_bytes(pki.key_name("leaf")))
    session = Unreachable()

    found = reader(tmp_path, IdentitySource(chain=str(chain), key=str(key)), session=session).revocation()

    assert session.asked == ["http://ocsp.example.net/", "closed"]
    assert len(found.asked) == 1
    assert [item.code for item in found.findings] == ["revocation-unreachable"]
    assert "http://ocsp.example.net/: " in found.findings[0].message


def test_certificate_file_is_opened_once_for_both_sections(root: Path, pki: Pki) -> None:
    """Check that a file is opened once: key derivation or a large RSA key may take seconds."""
    asked: list[bytes] = []

    def passphrase(_reference: str | None) -> bytes:
        asked.append(b"secret")
        return b"secret"

    (root / "site.pfx").write_bytes(pfx_bytes({}, pki))
    subject = reader(root, IdentitySource(pfx=str(root / "site.pfx")), passphrase=passphrase)
    with ThreadPool(2) as pool:
        certificate, revocation = pool.apply_async(subject.certificate), pool.apply_async(subject.revocation)
        assert certificate.get().problem == ""
        assert revocation.get().findings == ()
    assert len(asked) == 1


def test_oversized_key_is_refused_at_once(root: Path) -> None:
    """Check a key whose test in OpenSSL takes 30 s (RSA, 16384 bits), during which nothing else runs."""
    pki = Pki({"leaf": {"key": "rsa16384"}})
    Files(root).write(paths.SITE_CERTIFICATE, pki.pem("leaf") + pki.pem("inter"))
    Files(root).write(paths.SITE_KEY, key_bytes("rsa16384"), 0o600)
    started = time.process_time()
    found = reader(root).certificate()
    assert "larger than an RSA key of 8192 bits" in found.problem
    assert time.process_time() - started < 2
