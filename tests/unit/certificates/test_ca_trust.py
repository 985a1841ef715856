"""Roots of the system and below ca-trust, in any format, and unusable files among them."""

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.base import paths
from mstunnel_setup.certificates import ca_trust
from mstunnel_setup.certificates.ca_trust import added_roots, added_roots_pem, root_findings, system_roots
from mstunnel_setup.certificates.read import MAX_BYTES
from mstunnel_setup.io.files import Files
from tests.unit.certificates.pki import Pki


def test_added_roots_are_read_from_pem_and_der(tmp_path: Path) -> None:
    pki, files = Pki(), Files(tmp_path)
    root, old = pki.certificate("root"), pki.certificate("old-root")
    assert added_roots_pem(files) == ""
    files.make_directories(paths.CA_TRUST)
    for name, content in (
        ("a.crt", root.public_bytes(Encoding.DER)),
        ("b.crt", pki.pem("old-root") + pki.pem("root")),
        ("c.crt", b"no certificate"),
        ("d.crt", b""),
        ("e.pem", pki.pem("inter")),
    ):
        files.write(f"{paths.CA_TRUST}/{name}", content)
    assert list(added_roots(files)) == [("a.crt", root), ("b.crt", old), ("b.crt", root)]
    assert x509.load_pem_x509_certificates(added_roots_pem(files).encode()) == [root, old, root]


def test_unusable_root_files_are_reported(tmp_path: Path) -> None:
    pki, files = Pki(), Files(tmp_path)
    files.make_directories(paths.CA_TRUST)
    assert list(root_findings(files)) == []
    for name, content in (
        ("der.crt", pki.der("root")),
        ("empty.crt", b""),
        ("fine.crt", b"a remark\n" + pki.pem("root")),
        ("leaf.crt", pki.pem("leaf")),
        ("notes.txt", b"not looked at"),
        ("words.crt", b"no certificate"),
    ):
        files.write(f"{paths.CA_TRUST}/{name}", content)
    found = [(item.code, item.message) for item in root_findings(files)]
    assert [code for code, _ in found] == [
        "root-not-pem",
        "root-unreadable",
        "root-not-ca",
        "root-unreadable",
    ]
    for (_, message), name in zip(found, ("der.crt", "empty.crt", "leaf.crt", "words.crt"), strict=True):
        assert f"{paths.CA_TRUST}/{name}" in message


# The tests put such a damaged block between two valid certificates.
DAMAGED = {
    "not-base64": b"-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----\n",
    "not-a-certificate": b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
    "without-end": b"-----BEGIN CERTIFICATE-----\nMAA=\n",
    "larger-than-a-certificate-file": b"# a remark\n" * (MAX_BYTES // 8),
}


def bundle(directory: Path, content: bytes) -> Files:
    """Return the files of a host whose bundle of public roots is `content`."""
    (directory / "bundle.crt").write_bytes(content)
    return Files(directory)


@pytest.fixture(autouse=True)
def _own_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    places = ("/absent.crt", "/bundle.crt", "/second.crt")
    monkeypatch.setattr("mstunnel_setup.certificates.ca_trust._SYSTEM_BUNDLES", places)


@pytest.mark.parametrize("damage", DAMAGED.values(), ids=DAMAGED)
def test_damaged_block_does_not_affect_other_roots(tmp_path: Path, damage: bytes) -> None:
    pki = Pki()
    files = bundle(tmp_path, pki.pem("root") + damage + pki.pem("old-root"))
    assert system_roots(files) == (pki.certificate("root"), pki.certificate("old-root"))
    files.make_directories(paths.CA_TRUST)
    files.write(f"{paths.CA_TRUST}/own.crt", pki.pem("root") + damage + pki.pem("old-root"))
    assert [root for _, root in added_roots(files)] == list(system_roots(files))


@pytest.mark.parametrize("content", [b"", b"no certificate\n", DAMAGED["not-base64"]])
def test_bundle_without_roots_is_skipped(tmp_path: Path, content: bytes) -> None:
    pki = Pki()
    files = bundle(tmp_path, content)
    (tmp_path / "second.crt").write_bytes(pki.pem("root"))
    assert system_roots(files) == (pki.certificate("root"),)


@pytest.mark.parametrize("path", ca_trust._SYSTEM_BUNDLES)
def test_bundle_is_read_below_the_given_root_directory(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    files, pki = Files(tmp_path), Pki()
    assert system_roots(files) == ()
    files.make_directories(str(Path(path).parent))
    files.write(path, pki.pem("root"))
    assert system_roots(files) == (pki.certificate("root"),)


def test_every_root_of_this_host_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    files = Files()
    content = files.read("/etc/ssl/certs/ca-certificates.crt")
    if content is None:
        pytest.skip("this host has no bundle at /etc/ssl/certs/ca-certificates.crt")
    assert len(system_roots(files)) == content.count(b"-----BEGIN CERTIFICATE-----")
