"""NIST PKITS: every path of the suite judged against its own revocation lists.

The suite says in the name of each end certificate whether its path is valid. A valid path has nothing revoked
in it; of the others, those below are invalid because of revocation alone: revoked, or unknown.
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
# Sections 4.4, 4.5 (8 is about key usage), 4.7 (tests 4 and 5), 4.14 and 4.15 of the suite.
BY_REVOCATION = re.compile(
    "Invalid(MissingCRL|Revoked|BadCRL|WrongCRL|UnknownCRL|OldCRL|pre2000CRL|NegativeSerial|LongSerial"
    "|SeparateCertificateandCRLKeys|BasicSelfIssued(New|Old|CRLSigningKeyTest7)|keyUsage.*cRLSign|distributionPoint|onlyContains"
    "|onlySomeReasons|IDPwith|cRLIssuer|deltaCRL)"
)
# The suite knows better by a delta list, which is not asked for (see the reference): one certificate is
# revoked by it, and one that was on hold is so no more.
BY_DELTA_LIST = {
    "InvaliddeltaCRLTest4EE": RevocationState.GOOD,
    "ValiddeltaCRLTest5EE": RevocationState.REVOKED,
}


def certificates() -> dict[str, x509.Certificate]:
    """All that can be read; test_vectors counts the others."""
    found = {}
    for path in sorted(DIRECTORY.glob("certs/*.crt")):
        try:
            found[path.stem] = parse_certificate(path.read_bytes(), path.name)
        except CertificateError:
            continue
    return found


def lists() -> dict[x509.Name, list[bytes]]:
    """By the authority that signed them."""
    found: dict[x509.Name, list[bytes]] = defaultdict(list)
    for path in sorted(DIRECTORY.glob("crls/*.crl")):
        with lenient_library():
            found[x509.load_der_x509_crl(path.read_bytes()).issuer].append(path.read_bytes())
    return found


_UNTOLD = RevocationState.UNREACHABLE
CERTIFICATES, LISTS = certificates(), lists()
ROOT = CERTIFICATES["TrustAnchorRootCertificate"]


def answers(certificate: x509.Certificate, issuer: x509.Certificate) -> Iterator[RevocationState]:
    """What each list of the authority says; nothing where one cannot be used."""
    for data in LISTS[certificate.issuer]:
        try:
            yield read_crl(data, certificate, issuer, NOW).state
        except NetworkError:
            continue


def state(certificate: x509.Certificate, issuer: x509.Certificate) -> RevocationState:
    said = set(answers(certificate, issuer))
    if RevocationState.REVOKED in said:
        return RevocationState.REVOKED
    return RevocationState.GOOD if said else _UNTOLD


def verdict(name: str) -> RevocationState:
    """About the path: revoked if anything in it is, good if it is whole and all of it is."""
    path = best_path(CERTIFICATES[name], [*CERTIFICATES.values()], [ROOT], NOW).certificates
    states = {state(*pair) for pair in itertools.pairwise(path)}
    if RevocationState.REVOKED in states:
        return RevocationState.REVOKED
    return RevocationState.GOOD if path[-1] == ROOT and states == {RevocationState.GOOD} else _UNTOLD


@cache
def verdicts(start: str) -> Mapping[str, RevocationState]:
    """Of the valid paths, or of those that are invalid for revocation."""
    ends = [name for name in CERTIFICATES if name.startswith(start) and name.endswith("EE")]
    return {name: verdict(name) for name in ends if start == "Valid" or BY_REVOCATION.match(name)}


def test_no_path_that_the_suite_refuses_for_revocation_is_good() -> None:
    refused = verdicts("Invalid")
    wrong = {name for name, said in refused.items() if said is RevocationState.GOOD}
    assert wrong == {name for name, said in BY_DELTA_LIST.items() if said is RevocationState.GOOD}
    named = {"InvalidRevokedEETest3EE", "InvalidRevokedCATest2EE", "InvalidLongSerialNumberTest18EE"}
    assert named <= {name for name, said in refused.items() if said is RevocationState.REVOKED}


def test_no_path_that_the_suite_accepts_is_revoked() -> None:
    wrong = {name for name, said in verdicts("Valid").items() if said is RevocationState.REVOKED}
    assert wrong == {name for name, said in BY_DELTA_LIST.items() if said is RevocationState.REVOKED}


def table() -> str:
    """The counts as they stand in the reference."""
    rows = ["| The suite says | Paths | Good | Revoked | Unknown |", "| --- | --- | --- | --- | --- |"]
    for start, title in (("Valid", "valid"), ("Invalid", "invalid for revocation alone")):
        counts = Counter(verdicts(start).values())
        columns = (RevocationState.GOOD, RevocationState.REVOKED, _UNTOLD)
        numbers = " | ".join(str(counts[column]) for column in columns)
        rows.append(f"| {title} | {counts.total()} | {numbers} |")
    return "\n".join(rows)


def test_the_reference_publishes_the_counts() -> None:
    published = REFERENCE.read_text().partition("<!-- pkits: begin -->\n")[2]
    assert published.partition("\n<!-- pkits: end -->")[0] == table()
