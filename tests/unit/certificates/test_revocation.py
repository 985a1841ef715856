"""Revocation checks with a real OCSP responder and CRL (openssl), through the product's HTTP session."""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from mstunnel_setup.base.errors import NetworkError
from mstunnel_setup.base.problem import Problem, Severity
from mstunnel_setup.certificates.revocation import (
    RevocationStatus,
    ask,
    crl_addresses,
    fetching,
    ocsp_addresses,
    revocation_findings,
)
from mstunnel_setup.certificates.revocation_answers import RevocationState, read_crl, read_ocsp
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from tests.refusals import refused
from tests.serving import free_port
from tests.unit.certificates.authority import Authority, forward_proxy
from tests.unit.certificates.pki import NOW, Pki, private_key
from tests.unit.certificates.revocation_material import (
    ISSUER,
    LEAF,
    OTHER_ISSUER,
    PARTIAL,
    PKI,
    PLACE,
    UNKNOWN,
    certificate_with_crl_at,
    response,
    revocation_list,
    scope,
)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("authority"))
    for name in ("good", "revoked", "unknown"):
        made.issue(name, known=name != "unknown")
    made.revoke("revoked")
    return made


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)


def verdict(authority: Authority, name: str) -> RevocationStatus:
    http = HttpSession(Clock(), timeout=2, deadline=0)
    now = datetime.now(UTC)
    (found,) = ask([authority.read(name), authority.certificate], fetching(http), now)
    http.close()
    return found


def findings(found: RevocationStatus) -> list[Problem]:
    return list(revocation_findings([found]))


def states(found: RevocationStatus) -> list[tuple[str, str]]:
    return [(item.method, item.answer.value if item.answer else item.problem) for item in found.attempts]


def test_addresses_of_responder_and_crl_are_read(authority: Authority) -> None:
    certificate = authority.read("good")
    assert ocsp_addresses(certificate) == (f"http://127.0.0.1:{authority.ocsp_port}",)
    assert crl_addresses(certificate) == (f"http://127.0.0.1:{authority.crl_port}/ca.crl",)


@pytest.mark.parametrize("signer", ["responder", "ca"])
def test_crl_is_not_fetched_after_a_good_ocsp_response(authority: Authority, signer: str) -> None:
    with authority.responding(signer):
        found = verdict(authority, "good")
    assert (found.state, states(found)) == (RevocationState.GOOD, [("ocsp", "good")])
    assert findings(found) == []


def test_revocation_is_reported_with_time_and_reason(authority: Authority) -> None:
    with authority.responding():
        found = verdict(authority, "revoked")
    (finding,) = findings(found)
    assert (finding.code, finding.severity) == ("revoked", Severity.ERROR)
    assert "key compromise" in finding.message
    assert f"http://127.0.0.1:{authority.ocsp_port}" in finding.message
    assert datetime.now(UTC).strftime("since %Y-%m-%d") in finding.message


def test_crl_decides_if_the_responder_answers_unknown(authority: Authority) -> None:
    with authority.responding(), authority.serving_list():
        found = verdict(authority, "unknown")
    assert states(found) == [("ocsp", "unknown"), ("crl", "good")]
    assert found.state is RevocationState.GOOD


def test_unknown_without_a_crl_is_a_warning(authority: Authority) -> None:
    with authority.responding():
        found = verdict(authority, "unknown")
    (finding,) = findings(found)
    assert (finding.code, finding.severity) == ("revocation-unknown", Severity.WARNING)


@pytest.mark.parametrize(("name", "state"), [("good", "good"), ("revoked", "revoked")])
def test_crl_is_used_if_the_responder_is_down(authority: Authority, name: str, state: str) -> None:
    with authority.serving_list():
        found = verdict(authority, name)
    assert found.state.value == state
    assert [attempt.method for attempt in found.attempts] == ["ocsp", "crl"]
    assert "cannot reach" in found.attempts[0].problem


@pytest.fixture(scope="module")
def rsa_authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    made = Authority(tmp_path_factory.mktemp("rsa-authority"), key=("rsa:2048",))
    for name in ("good", "revoked"):
        made.issue(name)
    made.revoke("revoked")
    return made


@pytest.mark.parametrize(
    "how",
    [
        (),
        ("rsa_padding_mode:pss",),
        ("rsa_padding_mode:pss", "rsa_pss_saltlen:0"),
        ("rsa_padding_mode:pss", "digest:sha512"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize("name", ["good", "revoked"])
def test_pkcs1_and_pss_signatures_are_verified(
    rsa_authority: Authority, name: str, how: tuple[str, ...]
) -> None:
    digest = "-rmd", next((word.partition(":")[2] for word in how if word.startswith("digest:")), "sha256")
    padding = [word for option in how if not option.startswith("digest:") for word in ("-rsigopt", option)]
    with rsa_authority.responding("responder", *digest, *padding):
        assert verdict(rsa_authority, name).attempts[0].answer is not None
        assert verdict(rsa_authority, name).state.value == name


def test_pss_signature_of_another_key_is_refused(rsa_authority: Authority) -> None:
    with rsa_authority.responding("good", "-rsigopt", "rsa_padding_mode:pss"):
        assert "not signed by the authority" in verdict(rsa_authority, "revoked").attempts[0].problem


@pytest.mark.parametrize("name", ["good", "revoked"])
def test_crl_with_a_pss_signature_is_accepted(rsa_authority: Authority, name: str) -> None:
    crl = rsa_authority.write_list("-sigopt", "rsa_padding_mode:pss")
    answer = read_crl(crl, rsa_authority.read(name), rsa_authority.certificate, datetime.now(UTC))
    assert answer.state.value == name


def test_warning_names_every_unreachable_address(authority: Authority) -> None:
    found = verdict(authority, "good")
    (finding,) = findings(found)
    assert (finding.code, finding.severity) == ("revocation-unreachable", Severity.WARNING)
    for address in (f"http://127.0.0.1:{authority.ocsp_port}", f"127.0.0.1:{authority.crl_port}/ca.crl"):
        assert address in finding.message


def test_response_of_an_unauthorized_signer_is_refused(authority: Authority) -> None:
    with authority.responding("good"):
        found = verdict(authority, "revoked")
    assert found.state is RevocationState.UNREACHABLE
    assert "not signed by the authority" in found.attempts[0].problem


def test_responder_and_crl_are_reached_through_the_proxy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the proxy can resolve the host names in the certificate."""
    authority = Authority(tmp_path, host="pki.invalid")
    authority.issue("leaf")
    unreachable = verdict(authority, "leaf")
    assert unreachable.state is RevocationState.UNREACHABLE
    port, asked = free_port(), list[str]()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{port}")
    with ExitStack() as open_now:
        open_now.enter_context(forward_proxy(port, asked))
        open_now.enter_context(authority.serving_list())
        assert verdict(authority, "leaf").state is RevocationState.GOOD
        open_now.enter_context(authority.responding())
        assert verdict(authority, "leaf").state is RevocationState.GOOD
    ocsp_url, crl_url = (
        f"http://pki.invalid:{authority.ocsp_port}/",
        f"http://pki.invalid:{authority.crl_port}",
    )
    assert asked[-2:] == [f"{crl_url}/ca.crl", ocsp_url]


def test_crl_with_only_an_ldap_address_is_a_warning() -> None:
    (found,) = ask(
        [certificate_with_crl_at("ldap:///CN=CA,DC=corp?certificateRevocationList"), ISSUER],
        _refuse_fetch,
        NOW,
    )
    (finding,) = revocation_findings([found])
    assert found.state is RevocationState.NOT_ASKED
    assert (finding.code, finding.severity) == ("revocation-not-asked", Severity.WARNING)
    assert "ldap:///CN=CA,DC=corp" in finding.message


def test_ldap_address_beside_a_web_address_is_ignored() -> None:
    assert crl_addresses(certificate_with_crl_at("ldap:///CN=CA", "http://pki.example/ca.crl")) == (
        "http://pki.example/ca.crl",
    )


def test_certificate_without_addresses_is_not_queried() -> None:
    (found,) = ask([LEAF, ISSUER], _refuse_fetch, NOW)
    assert (found.state, findings(found)) == (RevocationState.NOT_OFFERED, [])


def _refuse_fetch(address: str, _body: bytes | None) -> bytes:
    raise AssertionError(address)


def test_responder_with_unverifiable_certificate_is_ignored() -> None:
    """A man in the middle could forge this certificate: `cryptography` cannot verify its signature."""
    key = private_key("p256/forger")
    builder = x509.CertificateBuilder(
        ISSUER.subject,
        ISSUER.subject,
        key.public_key(),
        4712,
        NOW - timedelta(days=1),
        NOW + timedelta(days=9),
    ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.OCSP_SIGNING]), critical=False)
    made = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    forged = x509.load_der_x509_certificate(made.replace(_ECDSA_SHA256, _UNKNOWN_ALGORITHM))
    answer = ocsp.OCSPResponseBuilder().certificates([forged])
    answer = answer.responder_id(ocsp.OCSPResponderEncoding.NAME, forged).add_response(
        LEAF, ISSUER, hashes.SHA256(), ocsp.OCSPCertStatus.GOOD, NOW, NOW + timedelta(days=1), None, None
    )
    signed = answer.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(NetworkError, match="not signed by the authority"):
        read_ocsp(signed, LEAF, ISSUER, NOW)


# These algorithm identifiers have the same length, so one can replace the other in a certificate.
_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_UNKNOWN_ALGORITHM = bytes.fromhex("300a06082a8648ce3d040309")


DELTA_ADDRESS = x509.UniformResourceIdentifier("http://pki.example/delta.crl")
NAMES_DELTA = x509.FreshestCRL([x509.DistributionPoint([DELTA_ADDRESS], None, None, None)])
SUPERSEDED = x509.CRLReason(x509.ReasonFlags.superseded)


@pytest.mark.parametrize(
    ("material", "state"),
    [
        ({"pem": False}, "revoked"),
        ({"pem": True}, "revoked"),
        # A CRL that covers only leaves, or that names a delta CRL, is complete for the leaf.
        ({"extensions": [(scope(only_contains_user_certs=True), True)]}, "revoked"),
        ({"extensions": [(NAMES_DELTA, False)]}, "revoked"),
        # A certificate in a CRL is revoked whatever else the CRL and its entry contain.
        ({"extensions": [(PARTIAL, True)]}, "revoked"),
        ({"extensions": [(UNKNOWN, True)]}, "revoked"),
        ({"of_entry": [(UNKNOWN, True)]}, "revoked"),
        ({"of_entry": [(SUPERSEDED, True)]}, "revoked"),
        # Extensions that are not critical, or that are supported, do not invalidate a CRL.
        ({"extensions": [(UNKNOWN, False)], "without_leaf": True}, "good"),
        ({"of_entry": [(UNKNOWN, False)], "without_leaf": True}, "good"),
        ({"of_entry": [(SUPERSEDED, True)], "without_leaf": True}, "good"),
    ],
)
def test_state_is_read_from_a_crl(material: dict[str, Any], state: str) -> None:
    assert read_crl(revocation_list(**material), LEAF, ISSUER, NOW).state.value == state


def test_partial_list_counts_for_certificates_that_name_it() -> None:
    part = revocation_list(extensions=[(scope(full_name=[PLACE]), True)])
    assert read_crl(part, certificate_with_crl_at(PLACE.value), ISSUER, NOW).state is RevocationState.GOOD
    with pytest.raises(NetworkError, match="not the list that the certificate names"):
        read_crl(part, certificate_with_crl_at("http://pki.example/other.crl"), ISSUER, NOW)


def test_crl_of_a_ca_without_crl_sign_usage_is_refused() -> None:
    issuer = Pki({"inter": {"usage": ["key_cert_sign"]}}).certificate("inter")
    with pytest.raises(NetworkError, match="not signed by the authority"):
        read_crl(revocation_list(), LEAF, issuer, NOW)


def test_response_without_next_update_is_current_for_a_week() -> None:
    assert read_ocsp(response(undated=True), LEAF, ISSUER, NOW).state is RevocationState.GOOD


TRY_LATER = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)


@pytest.mark.parametrize(
    ("material", "reason"),
    [
        ({"start": NOW - timedelta(days=8)}, "too old"),
        ({"start": NOW - timedelta(days=8), "undated": True}, "too old"),
        ({"start": NOW + timedelta(hours=1)}, "from the future"),
        ({"signer": "root"}, "not signed"),
        ({"about": PKI.certificate("other")}, "another certificate"),
        (TRY_LATER.public_bytes(Encoding.DER), "try later"),
        (b"<html>Sign in</html>", "not a valid OCSP response"),
        (b"", "not a valid OCSP response"),
    ],
)
def test_unusable_ocsp_response_is_refused_with_reason(material: bytes | dict[str, Any], reason: str) -> None:
    data = material if isinstance(material, bytes) else response(**material)
    with refused(NetworkError, "ocsp-unusable", match=reason):
        read_ocsp(data, LEAF, ISSUER, NOW)


CRITICAL = "the list has an unknown critical extension"


@pytest.mark.parametrize(
    ("material", "reason"),
    [
        ({"start": NOW - timedelta(days=8)}, "too old"),
        ({"start": NOW + timedelta(hours=1)}, "from the future"),
        ({"signer": "p256/root"}, "not signed"),
        ({"extensions": [(x509.DeltaCRLIndicator(1), True)]}, "a delta list"),
        ({"extensions": [(scope(only_contains_ca_certs=True), True)]}, "another kind"),
        ({"extensions": [(scope(only_contains_attribute_certs=True), True)]}, "another kind"),
        ({"extensions": [(scope(indirect_crl=True), True)]}, "indirect"),
        ({"extensions": [(scope(full_name=[PLACE]), True)]}, "not the list that the certificate names"),
        ({"extensions": [(PARTIAL, True)], "without_leaf": True}, "some reasons"),
        ({"extensions": [(UNKNOWN, True)], "without_leaf": True}, CRITICAL),
        ({"of_entry": [(UNKNOWN, True)], "without_leaf": True}, f"an entry of {CRITICAL}"),
        ({"of_entry": [(OTHER_ISSUER, True)], "without_leaf": True}, f"an entry of {CRITICAL}"),
        ({"extensions": [(x509.IssuerAlternativeName([PLACE]), True)], "without_leaf": True}, CRITICAL),
        (b"<html>Sign in</html>", "not a valid revocation list"),
        (b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "not a valid revocation list"),
    ],
)
def test_unusable_crl_is_refused_with_reason(material: bytes | dict[str, Any], reason: str) -> None:
    data = material if isinstance(material, bytes) else revocation_list(**material)
    with refused(NetworkError, "crl-unusable", match=reason):
        read_crl(data, LEAF, ISSUER, NOW)
