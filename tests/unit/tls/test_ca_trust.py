"""The roots below ca-trust: whatever the form, and nobody's root for what is none."""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup import paths
from mstunnel_setup.host.files import Files
from mstunnel_setup.tls.ca_trust import added_roots, added_roots_pem
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
