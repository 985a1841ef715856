"""Read and judge answers of OCSP responders and revocation lists, without fetching them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import (
    CRLEntryExtensionOID,
    ExtendedKeyUsageOID,
    ExtensionOID,
    SignatureAlgorithmOID,
)

from mstunnel_setup.base.errors import Declared, NetworkError
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.certificates.certificate import (
    MALFORMED,
    extension,
    has_weak_signature,
    is_ca,
    is_issued_by,
    lenient_library,
    serial_number,
)
from mstunnel_setup.certificates.errors import CRL_UNUSABLE, OCSP_UNUSABLE

# The clocks of servers differ a little.
_SKEW = timedelta(minutes=5)
# A responder may omit the time of its next answer; an answer older than this is then not trusted.
_LONGEST_UNDATED = timedelta(days=7)
# These extensions of a list (RFC 5280, 5.2) and its entries (5.3) are processed here, or change nothing.
_PROCESSED = frozenset(
    {
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.CRL_NUMBER,
        ExtensionOID.ISSUING_DISTRIBUTION_POINT,
    }
)
_OF_ENTRIES = frozenset({CRLEntryExtensionOID.CRL_REASON, CRLEntryExtensionOID.INVALIDITY_DATE})
_PSS_HASHES = (hashes.SHA256(), hashes.SHA384(), hashes.SHA512())


class RevocationState(StrEnum):
    """Revocation state of one certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    NOT_ASKED = "not-asked"
    NOT_OFFERED = "not-offered"


@dataclass(frozen=True)
class Answer:
    """A verified answer; `details` are time and reason of the revocation, if given."""

    state: RevocationState
    details: str = ""


def ocsp_request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """Return the OCSP request for `certificate` in DER, with SHA-1 to name the issuer.

    Every responder supports SHA-1, which protects nothing here.
    """
    with lenient_library():
        builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
        return builder.build().public_bytes(Encoding.DER)


@contextmanager
def _reading(unusable: Declared[NetworkError], malformed: str) -> Iterator[None]:
    """Raise the error `unusable` if the library cannot parse a lazily read field."""
    try:
        with lenient_library():
            yield
    except (*MALFORMED, UnsupportedAlgorithm) as error:
        raise unusable(reason=malformed) from error


@_reading(OCSP_UNUSABLE, "the answer is not a valid OCSP response")
def read_ocsp(data: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer:
    """Return a responder's answer. Raises NetworkError `ocsp-unusable` unless verified and current."""
    response = ocsp.load_der_ocsp_response(data)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        status = response.response_status.name.lower().replace("_", " ")
        raise OCSP_UNUSABLE(reason=text("the responder refuses to answer: {status}", status=status))
    # The signer is the issuer itself, or has its certificate for signing answers (RFC 6960, 4.2.2.2).
    signers = (
        signer
        for signer in (issuer, *response.certificates)
        if signer == issuer or _may_respond(signer, issuer, now)
    )
    if not any(_signed(signer, response) for signer in signers):
        raise OCSP_UNUSABLE(reason=text("the answer is not signed by the authority or its responder"))
    number = serial_number(certificate)
    single = next((item for item in response.responses if item.serial_number == number), None)
    if single is None:
        raise OCSP_UNUSABLE(reason=text("the answer is about another certificate"))
    _require_current(OCSP_UNUSABLE, single.this_update_utc, single.next_update_utc, now)
    if single.certificate_status is ocsp.OCSPCertStatus.REVOKED:
        return _revoked(single.revocation_time_utc, single.revocation_reason)
    good = single.certificate_status is ocsp.OCSPCertStatus.GOOD
    return Answer(RevocationState.GOOD if good else RevocationState.UNKNOWN)


def _may_respond(signer: x509.Certificate, issuer: x509.Certificate, now: datetime) -> bool:
    purposes = extension(signer, x509.ExtendedKeyUsage)
    return (
        purposes is not None
        and ExtendedKeyUsageOID.OCSP_SIGNING in purposes
        and has_weak_signature(signer) is False  # is_issued_by() does not verify a weak one
        and is_issued_by(signer, issuer)
        and signer.not_valid_before_utc - _SKEW <= now <= signer.not_valid_after_utc
    )


def _signed(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key = signer.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if response.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
            # The library does not expose PSS parameters (RFC 4055), so all usual ones are tried.
            ways = [(padding.PSS(padding.MGF1(item), padding.PSS.AUTO), item) for item in _PSS_HASHES]
            return any(_verifies(key, response, *way) for way in ways)
        digest = response.signature_hash_algorithm
        return digest is not None and _verifies(key, response, padding.PKCS1v15(), digest)
    if isinstance(key, ec.EllipticCurvePublicKey):
        algorithm = response.signature_hash_algorithm
        return algorithm is not None and _verifies(key, response, ec.ECDSA(algorithm))
    if isinstance(key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        return _verifies(key, response)
    return False


def _verifies(key: Any, response: ocsp.OCSPResponse, *way: Any) -> bool:
    try:
        key.verify(response.signature, response.tbs_response_bytes, *way)
    except InvalidSignature:
        return False
    return True


@_reading(CRL_UNUSABLE, text("it is not a valid revocation list"))
def read_crl(data: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer:
    """Return a revocation list's answer. Raises NetworkError `crl-unusable` unless verified and current."""
    # RFC 5280 requires DER, but some CAs serve PEM.
    pem = data.lstrip().startswith(b"-----BEGIN")
    crl = x509.load_pem_x509_crl(data) if pem else x509.load_der_x509_crl(data)
    if crl.issuer != issuer.subject or not signs_list(issuer, crl):
        raise CRL_UNUSABLE(reason=text("the list is not signed by the authority"))
    _require_about(crl, certificate)
    _require_current(CRL_UNUSABLE, crl.last_update_utc, crl.next_update_utc, now)
    entry = crl.get_revoked_certificate_by_serial_number(serial_number(certificate))
    if entry is not None:
        reason = extension(entry, x509.CRLReason)
        return _revoked(entry.revocation_date_utc, reason.reason if reason else None)
    # A certificate that is missing in a partial list, or in a list that is not understood (RFC 5280, 5.2),
    # may still be revoked.
    scope = extension(crl, x509.IssuingDistributionPoint)
    if scope is not None and scope.only_some_reasons:
        raise CRL_UNUSABLE(reason=text("the list holds only some reasons, so it does not settle it"))
    if part := not_understood(crl):
        raise CRL_UNUSABLE(reason=text("{part} has an unknown critical extension", part=part))
    return Answer(RevocationState.GOOD)


def _require_about(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> None:
    """Raise unless the list is complete and covers this certificate (RFC 5280, 5.2.4 and 5.2.5).

    A base list that names a delta list (`freshestCRL`) is complete; the delta list is not fetched. An
    attacker on the network could serve another part of a partitioned list, which is also signed.
    """
    if extension(crl, x509.DeltaCRLIndicator) is not None:
        raise CRL_UNUSABLE(reason=text("it holds only the changes since an earlier list (a delta list)"))
    scope = extension(crl, x509.IssuingDistributionPoint)
    if scope is None:
        return
    other_kind = scope.only_contains_user_certs if is_ca(certificate) else scope.only_contains_ca_certs
    if other_kind or scope.only_contains_attribute_certs:
        raise CRL_UNUSABLE(reason=text("the list is about another kind of certificate"))
    if scope.indirect_crl:
        raise CRL_UNUSABLE(reason=text("the list is indirect: it speaks for other authorities"))
    own = _places(scope, crl.issuer)
    points = extension(certificate, x509.CRLDistributionPoints) or ()
    if own and all(own.isdisjoint(_places(point, certificate.issuer)) for point in points):
        raise CRL_UNUSABLE(reason=text("it is not the list that the certificate names"))


def _places(
    point: x509.DistributionPoint | x509.IssuingDistributionPoint, issuer: x509.Name
) -> set[x509.GeneralName]:
    relative = point.relative_name
    return {
        *(point.full_name or ()),
        *([] if relative is None else [x509.DirectoryName(x509.Name([*issuer.rdns, relative]))]),
    }


def not_understood(crl: x509.CertificateRevocationList) -> str:
    """Return the holder of an unknown critical extension, "the list" or "an entry of the list"; else ""."""
    if any(item.critical and item.oid not in _PROCESSED for item in crl.extensions):
        return text("the list")
    if any(item.critical and item.oid not in _OF_ENTRIES for entry in crl for item in entry.extensions):
        return text("an entry of the list")
    return ""


def signs_list(issuer: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    """Return whether the issuer signed the list with a key for lists (RFC 5280, 6.3.3)."""
    key, usage = issuer.public_key(), extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        return False
    return isinstance(
        key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | ed448.Ed448PublicKey
    ) and crl.is_signature_valid(key)


def _revoked(since: datetime | None, reason: x509.ReasonFlags | None) -> Answer:
    parts = []
    if since:
        parts.append(text(" since {since:%Y-%m-%d %H:%M} UTC", since=since))
    if reason:
        parts.append(text(" ({detail})", detail=reason.name.replace("_", " ")))
    return Answer(RevocationState.REVOKED, joined(parts, "") if parts else "")


def _require_current(
    unusable: Declared[NetworkError], start: datetime, end: datetime | None, now: datetime
) -> None:
    if now < start - _SKEW:
        raise unusable(reason=f"the answer is from the future ({start:%Y-%m-%d %H:%M} UTC)")
    if now > (end or start + _LONGEST_UNDATED) + _SKEW:
        raise unusable(reason=f"the answer is too old ({start:%Y-%m-%d %H:%M} UTC)")
