"""Certificates and PFX files from test suites for parsers: each has the published result."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.certificates.certificate import Identity, Material
from mstunnel_setup.certificates.chain_findings import judge
from mstunnel_setup.certificates.der import DerError
from mstunnel_setup.certificates.pfx import read_pfx
from mstunnel_setup.certificates.read import PemError, read_material
from mstunnel_setup.certificates.revocation_answers import Answer, read_crl, read_ocsp
from tests.parameters import sample
from tests.unit.certificates.pki import NOW, Pki, private_key

vectors = pytest.importorskip("cryptography_vectors", reason="needs the package cryptography-vectors")
DIRECTORY = Path(str(vectors.__file__)).parent

REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "certificates.md"
PATTERNS = (
    "x509/PKITS_data/certs/*.crt",
    "x509/PKITS_data/pkcs12/*.p12",
    "x509/PKITS_data/crls/*.crl",
    "x509/custom/*.pem",
    "x509/custom/*.der",
    "x509/*.pem",
    "x509/ocsp/*.der",
    "pkcs12/*.p12",
)
PKI = Pki()
PASSPHRASES = (b"password", b"cryptography", b"")


def verdict(path: Path) -> str:
    data = path.read_bytes()
    try:
        if path.suffix == ".crl":
            return _answer(read_crl, data)
        if path.parent.name == "ocsp":
            return _answer(read_ocsp, data)
        material = _pfx(data) if path.suffix == ".p12" else read_material(data)
    except SetupError as error:
        return quoted_library_text(error) or error.code
    for certificate in material.certificates:
        identity = Identity(certificate, (certificate,), private_key("p256"), material.certificates)
        findings = judge(identity, public_address="www.example.org", now=NOW)
        assert all(finding.message.isprintable() for finding in findings)
    return "read" if material.certificates else "certificate-missing"


def quoted_library_text(error: SetupError) -> str:
    """Return the text of the library's exception if the message or hint repeats it; else an empty text."""
    cause = error.__cause__
    shown = "" if cause is None or isinstance(cause, SetupError | PemError | DerError) else str(cause)
    return shown if shown and shown in f"{error.message!s} {error.hint!s}" else ""


def _answer(read: Callable[..., Answer], data: bytes) -> str:
    """Read a CRL or OCSP response about another certificate; fail if it is accepted."""
    answer = read(data, PKI.certificate("leaf"), PKI.certificate("inter"), NOW)
    raise AssertionError(answer)


def _pfx(data: bytes) -> Material:
    for passphrase in PASSPHRASES[:-1]:
        try:
            return read_pfx(data, passphrase)
        except SetupError as error:
            if error.code not in {"pfx-passphrase-wrong", "pfx-passphrase-unneeded"}:
                raise
    return read_pfx(data, PASSPHRASES[-1])


def row(pattern: str) -> str:
    """Return the row of counts for a pattern in the form of the reference."""
    counts = Counter(verdict(path) for path in DIRECTORY.glob(pattern))
    verdicts = ", ".join(f"{count} `{name}`" for name, count in counts.most_common())
    return f"| `{pattern}` | {counts.total()} | {verdicts} |"


def published() -> list[str]:
    """Return the rows of the table in the reference."""
    text = REFERENCE.read_text().partition("<!-- vectors: begin -->\n")[2]
    return text.partition("\n<!-- vectors: end -->")[0].splitlines()[2:]


def test_reference_has_a_row_for_each_pattern() -> None:
    assert [line.split("`")[1] for line in published()] == [*PATTERNS]


# Opening the hundreds of PKCS#12 files of PKITS takes 15 s, so only the long tests do.
@pytest.mark.parametrize("pattern", sample(PATTERNS, kept={*PATTERNS} - {"x509/PKITS_data/pkcs12/*.p12"}))
def test_reference_has_the_current_verdicts(pattern: str) -> None:
    assert row(pattern) in published()
