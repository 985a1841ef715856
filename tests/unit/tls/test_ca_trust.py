"""The roots below ca-trust: in any format, and files that are none."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup import paths
from mstunnel_setup.host.files import Files
from mstunnel_setup.tls.ca_trust import added_roots, added_roots_pem, root_findings
from tests.unit.tls.pki import Pki


def test_pem_and_der_are_read_and_the_rest_is_passed_over(tmp_path: Path) -> None:
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


def test_files_that_do_not_do_what_they_are_there_for_are_named(tmp_path: Path) -> None:
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
    found = [(item.id, item.message) for item in root_findings(files)]
    assert [code for code, _ in found] == [
        "root-not-pem",
        "root-unreadable",
        "root-not-ca",
        "root-unreadable",
    ]
    for (_, message), name in zip(found, ("der.crt", "empty.crt", "leaf.crt", "words.crt"), strict=True):
        assert f"{paths.CA_TRUST}/{name}" in message
