"""NIST PKITS: check the revocation of every path in the suite with the suite's CRLs.

The name of each end certificate says whether its path is valid. A valid path has no revoked certificate. Of
the invalid paths, only those in `BY_REVOCATION` are checked: their only fault is a certificate that is
revoked or whose state is unknown.
"""

import itertools
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509

from mstunnel_setup.base.errors import CertificateError, NetworkError
from mstunnel_setup.certificates.certificate import lenient_library, parse_certificate
from mstunnel_setup.certificates.chain_building import best_path
from mstunnel_setup.certificates.revocation_answers import RevocationState, read_crl
from tests.unit.certificates.pki import NOW

vectors = pytest.importorskip("cryptography_vectors", reason="needs the package cryptography-vectors")
DIRECTORY = Path(str(vectors.__file__)).parent / "x509/PKITS_data"
REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "certificates.md"
# These tests are in sections 4.4, 4.5 (except 8, about key usage), 4.7 (4 and 5), 4.14 and 4.15 of the suite.
BY_REVOCATION = re.compile(
    "Invalid(MissingCRL|Revoked|BadCRL|WrongCRL|UnknownCRL|OldCRL|pre2000CRL|NegativeSerial|LongSerial"
    "|SeparateCertificateandCRLKeys|BasicSelfIssued(New|Old|CRLSigningKeyTest7)|keyUsage.*cRLSign|distributionPoint|onlyContains"
    "|onlySomeReasons|IDPwith|cRLIssuer|deltaCRL)"
)
# The suite expects other results for these two because of a delta CRL, which is not fetched (see the
# reference): it revokes the first certificate and removes the hold of the second.
BY_DELTA_LIST = {
    "InvaliddeltaCRLTest4EE": RevocationState.GOOD,
    "ValiddeltaCRLTest5EE": RevocationState.REVOKED,
}


def certificates() -> dict[str, x509.Certificate]:
    """Return the certificates that can be parsed; test_vectors.py counts the others."""
    found = {}
    for path in sorted(DIRECTORY.glob("certs/*.crt")):
        try:
            found[path.stem] = parse_certificate(path.read_bytes(), path.name)
        except CertificateError:
            continue
    return found


def lists() -> dict[x509.Name, list[bytes]]:
    """Return the CRLs by their issuer."""
    found: dict[x509.Name, list[bytes]] = defaultdict(list)
    for path in sorted(DIRECTORY.glob("crls/*.crl")):
        with lenient_library():
            found[x509.load_der_x509_crl(path.read_bytes()).issuer].append(path.read_bytes())
    return found


_UNDETERMINED = RevocationState.UNREACHABLE
CERTIFICATES, LISTS = certificates(), lists()
ROOT = CERTIFICATES["TrustAnchorRootCertificate"]


def answers(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[RevocationState]:
    """Yield the state by each usable CRL of the issuer."""
    for data in LISTS[certificate.issuer]:
        try:
            yield read_crl(data, certificate, issuer, NOW).state
        except NetworkError:
            continue


def state(certificate: x509.Certificate, issuer: x509.Certificate) -> RevocationState:
    said = set(answers(certificate, issuer))
    if RevocationState.REVOKED in said:
        return RevocationState.REVOKED
    return RevocationState.GOOD if said else _UNDETERMINED


def verdict(name: str) -> RevocationState:
    """Return the state of a path: revoked if any certificate is, good if it reaches the root and all are."""
    path = best_path(CERTIFICATES[name], [*CERTIFICATES.values()], [ROOT], NOW).certificates
    states = {state(*pair) for pair in itertools.pairwise(path)}
    if RevocationState.REVOKED in states:
        return RevocationState.REVOKED
    return RevocationState.GOOD if path[-1] == ROOT and states == {RevocationState.GOOD} else _UNDETERMINED


@cache
def verdicts(start: str) -> Mapping[str, RevocationState]:
    """Return the states of the paths that are valid, or of those that are invalid by revocation."""
    ends = [name for name in CERTIFICATES if name.startswith(start) and name.endswith("EE")]
    return {name: verdict(name) for name in ends if start == "Valid" or BY_REVOCATION.match(name)}


def test_no_path_invalid_by_revocation_is_good() -> None:
    refused = verdicts("Invalid")
    wrong = {name for name, said in refused.items() if said is RevocationState.GOOD}
    assert wrong == {name for name, said in BY_DELTA_LIST.items() if said is RevocationState.GOOD}
    named = {"InvalidRevokedEETest3EE", "InvalidRevokedCATest2EE", "InvalidLongSerialNumberTest18EE"}
    assert named <= {name for name, said in refused.items() if said is RevocationState.REVOKED}


def test_no_valid_path_is_revoked() -> None:
    wrong = {name for name, said in verdicts("Valid").items() if said is RevocationState.REVOKED}
    assert wrong == {name for name, said in BY_DELTA_LIST.items() if said is RevocationState.REVOKED}


def table() -> str:
    """Return the table of counts in the form of the reference."""
    rows = ["| The suite says | Paths | Good | Revoked | Unknown |", "| --- | --- | --- | --- | --- |"]
    for start, title in (("Valid", "valid"), ("Invalid", "invalid for revocation alone")):
        counts = Counter(verdicts(start).values())
        columns = (RevocationState.GOOD, RevocationState.REVOKED, _UNDETERMINED)
        numbers = " | ".join(str(counts[column]) for column in columns)
        rows.append(f"| {title} | {counts.total()} | {numbers} |")
    return "\n".join(rows)


def test_reference_has_the_current_counts() -> None:
    published = REFERENCE.read_text().partition("<!-- pkits: begin -->\n")[2]
    assert published.partition("\n<!-- pkits: end -->")[0] == table()
