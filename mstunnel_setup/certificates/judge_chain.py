"""The chain: complete, in order, every issuer allowed to issue, and where it ends."""

from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from mstunnel_setup.base.text import plain, text
from mstunnel_setup.certificates import findings
from mstunnel_setup.certificates.certificate import extension, is_ca, is_self_signed, issuer_title, title
from mstunnel_setup.certificates.chain_building import Path, paths
from mstunnel_setup.certificates.judge_leaf import key_findings, signature_findings, stapling_findings
from mstunnel_setup.certificates.model import Finding, Identity
from mstunnel_setup.certificates.read import MOST_RSA_BITS


def chain_findings(path: Path, *, roots_known: bool, private: bool) -> Iterator[Finding]:
    """Where the path ends, and each certificate above the leaf; `private`: the end is of ca-trust."""
    if len(path.certificates) == 1 and is_self_signed(path.end):
        return
    if not path.complete:
        yield _incomplete(path, roots_known=roots_known)
    elif private:
        yield findings.PRIVATE_CA(end=title(path.end))
    elif not path.trusted:
        yield findings.ROOT_NOT_TRUSTED(end=title(path.end))
    for depth, issuer in enumerate(path.certificates[1:]):
        yield from _issuer_findings(issuer, depth)


def _incomplete(path: Path, *, roots_known: bool) -> Finding:
    end, issuer = title(path.end), issuer_title(path.end)
    if len(path.certificates) > 1 and not roots_known:
        return findings.ROOT_UNKNOWN(end=end, issuer=issuer)
    access = extension(path.end, x509.AuthorityInformationAccess)
    addresses = [
        plain(description.access_location.value)
        for description in access or ()
        if description.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
    ]
    where = text(" The authority offers it at {addresses}.", addresses=addresses[0]) if addresses else ""
    return findings.CHAIN_INCOMPLETE(end=end, issuer=issuer, where=where)


def _issuer_findings(issuer: x509.Certificate, depth: int) -> Iterator[Finding]:
    """`depth` is the number of intermediates below this issuer."""
    what = text("{issuer} in the chain", issuer=title(issuer))
    if not is_ca(issuer):
        yield findings.CHAIN_NOT_CA(what=what)
    if not is_self_signed(issuer):
        yield from signature_findings(issuer, what)
    yield from key_findings(issuer, what)
    key = issuer.public_key()
    if isinstance(key, rsa.RSAPublicKey) and key.key_size > MOST_RSA_BITS:
        yield findings.CHAIN_KEY_TOO_LARGE(what=what, bits=key.key_size, most=MOST_RSA_BITS)
    yield from stapling_findings(issuer, what)
    constraints = extension(issuer, x509.BasicConstraints)
    if constraints and constraints.path_length is not None and constraints.path_length < depth:
        yield findings.CHAIN_PATH_LENGTH(what=what, allowed=constraints.path_length, found=depth)
    usage = extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        yield findings.CHAIN_KEY_USAGE(what=what)
    purposes = extension(issuer, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and not is_self_signed(issuer) and not allowed & set(purposes):
        yield findings.CHAIN_EKU(what=what)


def input_findings(identity: Identity, path: Path, roots: Sequence[x509.Certificate]) -> Iterator[Finding]:
    """Notes on what else the input had, and on what is done about it."""
    used = [certificate for certificate in path.certificates if certificate in identity.given]
    in_input_order = [certificate for certificate in identity.given if certificate in used]
    if used != in_input_order:
        yield findings.CHAIN_REORDERED()
    choices = paths(identity.leaf, identity.given, roots)
    if len(choices) > 1:
        yield findings.CHAIN_CROSS_SIGNED(count=len(choices), end=title(path.end))
    if len(used) > 1 and is_self_signed(used[-1]):
        yield findings.ROOT_INCLUDED(root=title(used[-1]))
    reachable = {certificate for choice in choices for certificate in choice.certificates}
    names = [title(certificate) for certificate in identity.given if certificate not in reachable]
    if names:
        yield findings.CERTIFICATE_UNUSED(names=", ".join(names[:5]))
