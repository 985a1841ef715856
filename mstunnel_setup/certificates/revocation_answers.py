"""Parse and verify OCSP responses and CRLs. Nothing here accesses the network."""

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

# The clocks of a CA and of this server may differ by a few minutes.
_SKEW = timedelta(minutes=5)
# A response may omit `nextUpdate` (RFC 6960, 4.2.2.1); it is then trusted for this long.
_LONGEST_UNDATED = timedelta(days=7)
# This module processes these extensions of CRLs (RFC 5280, 5.2) and of their entries (5.3), or they have no
# effect on its result.
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
    """The revocation state of one certificate."""

    GOOD = "good"
    REVOKED = "revoked"
    UNKNOWN = "unknown"
    UNREACHABLE = "unreachable"
    NOT_ASKED = "not-asked"
    NOT_OFFERED = "not-offered"


@dataclass(frozen=True)
class Answer:
    """A verified answer; `details` has time and reason of a revocation, if the CA gives them."""

    state: RevocationState
    details: str = ""


def ocsp_request(certificate: x509.Certificate, issuer: x509.Certificate) -> bytes:
    """Return the OCSP request about `certificate` in DER.

    SHA-1 only identifies the issuer here, and every responder supports it.
    """
    with lenient_library():
        builder = ocsp.OCSPRequestBuilder().add_certificate(certificate, issuer, hashes.SHA1())  # noqa: S303
        return builder.build().public_bytes(Encoding.DER)


@contextmanager
def _reading(unusable: Declared[NetworkError], malformed: str) -> Iterator[None]:
    """Raise the error `unusable` if `cryptography`, which parses fields lazily, fails in the body."""
    try:
        with lenient_library():
            yield
    except (*MALFORMED, UnsupportedAlgorithm) as error:
        raise unusable(reason=malformed) from error


@_reading(OCSP_UNUSABLE, "the answer is not a valid OCSP response")
def read_ocsp(data: bytes, certificate: x509.Certificate, issuer: x509.Certificate, now: datetime) -> Answer:
    """Return a responder's answer. Raises NetworkError `ocsp-unusable` unless it is signed and current."""
    response = ocsp.load_der_ocsp_response(data)
    if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        status = response.response_status.name.lower().replace("_", " ")
        raise OCSP_UNUSABLE(reason=text("the responder refuses to answer: {status}", status=status))
    # RFC 6960, 4.2.2.2: the issuer itself signs a response, or a responder with a certificate of the issuer.
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
        # `is_issued_by` verifies only strong signatures; for others it compares names and identifiers.
        and has_weak_signature(signer) is False
        and is_issued_by(signer, issuer)
        and signer.not_valid_before_utc - _SKEW <= now <= signer.not_valid_after_utc
    )


def _signed(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key = signer.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        if response.signature_algorithm_oid == SignatureAlgorithmOID.RSASSA_PSS:
            # `cryptography` does not expose the parameters of PSS (RFC 4055), so each usual digest is tried.
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
    """Return the answer of a CRL. Raises NetworkError `crl-unusable` unless it is signed and current."""
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
    # A certificate that is missing in a partial CRL, or in one with an unknown critical extension (RFC 5280,
    # 5.2), may be revoked nevertheless.
    scope = extension(crl, x509.IssuingDistributionPoint)
    if scope is not None and scope.only_some_reasons:
        raise CRL_UNUSABLE(reason=text("the list holds only some reasons, so it does not settle it"))
    if part := not_understood(crl):
        raise CRL_UNUSABLE(reason=text("{part} has an unknown critical extension", part=part))
    return Answer(RevocationState.GOOD)


def _require_about(crl: x509.CertificateRevocationList, certificate: x509.Certificate) -> None:
    """Raise NetworkError `crl-unusable` unless the CRL covers the certificate (RFC 5280, 5.2.4 and 5.2.5).

    A delta CRL is refused. A base CRL that names a delta CRL (`freshestCRL`) is complete in itself; the delta
    CRL is not fetched. The distribution points are compared, because a man in the middle could serve another
    part of a partitioned CRL, which is signed as well.
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
    """Return the part of the CRL with an unknown critical extension, "the list" or "an entry of the list".

    The result is empty if there is no such extension.
    """
    if any(item.critical and item.oid not in _PROCESSED for item in crl.extensions):
        return text("the list")
    if any(item.critical and item.oid not in _OF_ENTRIES for entry in crl for item in entry.extensions):
        return text("an entry of the list")
    return ""


def signs_list(issuer: x509.Certificate, crl: x509.CertificateRevocationList) -> bool:
    """Return whether the CRL is signed by the issuer, whose key usage allows it (RFC 5280, 6.3.3)."""
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
