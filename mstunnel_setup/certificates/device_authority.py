"""Input for the gateway's check of device certificates: the CAs that issue them, and their revocation lists.

GnuTLS, which checks them for ocserv, ignores the dates of lists and the lists of other CAs, and keeps one
list for each issuer name. A faulty list would silently let revoked devices in, so it is refused before.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup.base.errors import CertificateError
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates.certificate import (
    LONGEST_NAME,
    MALFORMED,
    extension,
    has_weak_signature,
    is_ca,
    is_self_signed,
    lenient_library,
    title,
)
from mstunnel_setup.certificates.errors import (
    DEVICE_AUTHORITY_UNUSABLE,
    DEVICE_REVOCATIONS_UNUSABLE,
    INPUT_TOO_LARGE,
)
from mstunnel_setup.certificates.read import PemError, looks_like_pem, pem_blocks, read_material
from mstunnel_setup.certificates.revocation_answers import not_understood, signs_list

_LIST_LABEL = "X509 CRL"
# A revocation list of a hundred thousand certificates has four million bytes.
_MAX_BYTES = 16 * 1024 * 1024


def device_authorities(content: bytes, path: str, now: datetime) -> tuple[x509.Certificate, ...]:
    """Return the CAs in the file at `path`.

    Raises CertificateError `device-authority-unusable`, which names every fault.
    """
    try:
        material = read_material(content)
    except CertificateError as error:
        raise DEVICE_AUTHORITY_UNUSABLE(path=path, problem=error.message) from error
    problems = [
        *([text("it contains a private key")] if material.keys or material.encrypted_keys else []),
        *([] if material.certificates else [text("it contains no certificate")]),
        *(problem for certificate in material.certificates for problem in _problems_of_ca(certificate, now)),
    ]
    if problems:
        raise DEVICE_AUTHORITY_UNUSABLE(path=path, problem="; ".join(problems))
    return material.certificates


def _problems_of_ca(certificate: x509.Certificate, now: datetime) -> Iterator[str]:
    name, usage = title(certificate), extension(certificate, x509.KeyUsage)
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not is_ca(certificate):
        yield text("{name} is not a CA (basic constraints)", name=name)
    elif usage is not None and not usage.key_cert_sign:
        yield text("{name} may not issue certificates (key usage)", name=name)
    if now > end:
        yield text("{name} expired on {not_valid_after_utc:%Y-%m-%d}", name=name, not_valid_after_utc=end)
    elif now < start:
        yield text(
            "{name} is valid only from {not_valid_before_utc:%Y-%m-%d}", name=name, not_valid_before_utc=start
        )
    # A root's signature is never verified: trusting a root means trusting its key.
    if not is_self_signed(certificate) and has_weak_signature(certificate):
        yield text("{name} is signed with SHA-1 or MD5, which can be forged", name=name)


def read_lists(content: bytes, path: str) -> tuple[x509.CertificateRevocationList, ...]:
    """Return the revocation lists in the file at `path`, without duplicates.

    Raises CertificateError `device-revocations-unusable` or `input-too-large`.
    """
    if len(content) > _MAX_BYTES:
        raise INPUT_TOO_LARGE(size=len(content))
    lists: dict[bytes, x509.CertificateRevocationList] = {}
    try:
        blocks = [block.der for block in pem_blocks(content) if block.label == _LIST_LABEL]
        with lenient_library():
            for encoded in blocks if looks_like_pem(content) else [content]:
                crl = x509.load_der_x509_crl(encoded)
                # The library parses these fields lazily, so reading them here finds invalid ones.
                _ = (crl.issuer, crl.extensions, crl.last_update_utc, crl.next_update_utc)
                for entry in crl:
                    _ = entry.extensions
                lists[crl.public_bytes(Encoding.DER)] = crl
    except PemError as error:
        raise DEVICE_REVOCATIONS_UNUSABLE(path=path, problem=str(error)) from error
    except (*MALFORMED, UnsupportedAlgorithm) as error:
        problem = text("it is not a valid revocation list")
        raise DEVICE_REVOCATIONS_UNUSABLE(path=path, problem=problem) from error
    if not lists:
        raise DEVICE_REVOCATIONS_UNUSABLE(path=path, problem=text("it contains no revocation list"))
    if (
        size := len(lists_pem(lists.values()))
    ) > _MAX_BYTES:  # the written file is read again with the same limit
        problem = text(
            "as PEM it has {size} bytes, and at most {max_bytes} are read", size=size, max_bytes=_MAX_BYTES
        )
        raise DEVICE_REVOCATIONS_UNUSABLE(path=path, problem=problem)
    return tuple(lists.values())


def lists_pem(lists: Iterable[x509.CertificateRevocationList]) -> bytes:
    """Return the lists as PEM, one after the other."""
    return b"".join(crl.public_bytes(Encoding.PEM) for crl in lists)


def judge_lists(
    lists: Iterable[x509.CertificateRevocationList],
    path: str,
    authorities: Sequence[x509.Certificate],
    now: datetime,
) -> None:
    """Raise CertificateError `device-revocations-unusable` unless each is a current list of an authority."""
    found = tuple(lists)
    problems = [problem for crl in found for problem in _problems_of_list(crl, authorities, now)]
    # GnuTLS keeps the later of several lists with one issuer name; delta lists are refused anyway.
    whole: dict[bytes, list[x509.CertificateRevocationList]] = defaultdict(list)
    for crl in found:
        if extension(crl, x509.DeltaCRLIndicator) is None:
            whole[crl.issuer.public_bytes()].append(crl)
    problems += [
        text(
            "it holds {count} lists of {crl}; the gateway uses one for each name of a CA",
            count=len(same),
            crl=_issuer(same[0]),
        )
        for same in whole.values()
        if len(same) > 1
    ]
    if problems:
        raise DEVICE_REVOCATIONS_UNUSABLE(path=path, problem="; ".join(problems))


def _issuer(crl: x509.CertificateRevocationList) -> str:
    return plain(crl.issuer.rfc4514_string(), LONGEST_NAME)


def _problems_of_list(
    crl: x509.CertificateRevocationList, authorities: Sequence[x509.Certificate], now: datetime
) -> Iterator[str]:
    issuer, start, end = _issuer(crl), crl.last_update_utc, crl.next_update_utc
    named = [authority for authority in authorities if authority.subject == crl.issuer]
    if not named:
        yield text(
            "it is a list of {issuer}, which is not one of the CAs that issue the devices' certificates",
            issuer=issuer,
        )
    elif not any(signs_list(authority, crl) for authority in named):
        yield text(
            "the list of {issuer} is not signed by that CA, or its key is not for lists (key usage)",
            issuer=issuer,
        )
    if now < start:
        yield text(
            "the list of {issuer} is from the future ({last_update_utc:%Y-%m-%d %H:%M} UTC)",
            issuer=issuer,
            last_update_utc=start,
        )
    elif end is not None and now > end:
        yield text(
            "the list of {issuer} has been out of date since {next_update_utc:%Y-%m-%d %H:%M} UTC",
            issuer=issuer,
            next_update_utc=end,
        )
    if extension(crl, x509.DeltaCRLIndicator) is not None:
        yield text(
            "the list of {issuer} holds only the changes since an earlier one (a delta list)", issuer=issuer
        )
    elif part := not_understood(crl):
        yield text("{part} of {issuer} has an unknown critical extension", part=part, issuer=issuer)
    scope = extension(crl, x509.IssuingDistributionPoint)
    if scope is not None and (
        scope.indirect_crl
        or scope.only_some_reasons
        or scope.only_contains_ca_certs
        or scope.only_contains_attribute_certs
    ):
        yield text(
            "the list of {issuer} is not about all of its devices (issuing distribution point)", issuer=issuer
        )
