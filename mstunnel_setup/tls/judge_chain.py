"""The chain: complete, in order, every issuer allowed to issue, and where it ends."""

from collections.abc import Iterator, Sequence

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from mstunnel_setup.text import plain
from mstunnel_setup.tls.certificate import (
    extension,
    is_ca,
    is_self_signed,
    issuer_title,
    title,
)
from mstunnel_setup.tls.chain_building import Path, paths
from mstunnel_setup.tls.judge_leaf import key_findings, signature_findings, stapling_findings
from mstunnel_setup.tls.model import Finding, Identity, Severity

_FRESH_CHAIN = "Get the intermediate certificates from the authority and give the whole chain again."


def chain_findings(path: Path, *, roots_known: bool, public: bool) -> Iterator[Finding]:
    """Where the path ends, and each certificate above the leaf."""
    if len(path.certificates) == 1 and is_self_signed(path.end):
        return
    if not path.complete:
        yield _incomplete(path, roots_known=roots_known)
    elif not public:
        yield Finding(
            "private-ca",
            Severity.NOTE,
            f"the chain ends in {title(path.end)}, which is not a public authority known to this server",
            "Give devices the whole chain with a trusted certificate profile, or they refuse the gateway.",
        )
    for depth, issuer in enumerate(path.certificates[1:]):
        yield from _issuer_findings(issuer, depth)


def _incomplete(path: Path, *, roots_known: bool) -> Finding:
    message = f"the chain stops at {title(path.end)}: its issuer {issuer_title(path.end)} is not there"
    if len(path.certificates) > 1 and not roots_known:
        return Finding(
            "root-unknown",
            Severity.WARNING,
            f"{message}, and without trusted roots to compare with nobody can say whether it is a root",
            "Add the root certificate to the chain to have it checked.",
        )
    return Finding("chain-incomplete", Severity.ERROR, message, _incomplete_hint(path.end))


def _incomplete_hint(certificate: x509.Certificate) -> str:
    access = extension(certificate, x509.AuthorityInformationAccess)
    addresses = [
        plain(description.access_location.value)
        for description in access or ()
        if description.access_method == AuthorityInformationAccessOID.CA_ISSUERS
        and isinstance(description.access_location, x509.UniformResourceIdentifier)
    ]
    where = f" The authority offers it at {addresses[0]}." if addresses else ""
    return f"Add the certificate of {issuer_title(certificate)} to the chain.{where}"


def _issuer_findings(issuer: x509.Certificate, depth: int) -> Iterator[Finding]:
    """`depth` is the number of intermediates below this issuer."""
    what = f"{title(issuer)} in the chain"
    if not is_ca(issuer):
        yield Finding("chain-not-ca", Severity.ERROR, f"{what} is not an authority (CA)", _FRESH_CHAIN)
    if not is_self_signed(issuer):
        yield from signature_findings(issuer, "chain-signature", what)
    yield from key_findings(issuer, "chain-key", what)
    yield from stapling_findings(issuer, "chain-must-staple", what)
    yield from _issuer_limits(issuer, depth, what)


def _issuer_limits(issuer: x509.Certificate, depth: int, what: str) -> Iterator[Finding]:
    constraints = extension(issuer, x509.BasicConstraints)
    if constraints and constraints.path_length is not None and constraints.path_length < depth:
        message = f"{what} allows {constraints.path_length} authorities below it, the chain has {depth}"
        yield Finding("chain-path-length", Severity.ERROR, message, _FRESH_CHAIN)
    usage = extension(issuer, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        message = f"{what} may not sign certificates (key usage)"
        yield Finding("chain-key-usage", Severity.ERROR, message, _FRESH_CHAIN)
    purposes = extension(issuer, x509.ExtendedKeyUsage)
    allowed = {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if purposes is not None and not is_self_signed(issuer) and not allowed & set(purposes):
        message = f"{what} may not issue server certificates (extended key usage)"
        yield Finding("chain-eku", Severity.ERROR, message, _FRESH_CHAIN)


def input_findings(identity: Identity, path: Path, roots: Sequence[x509.Certificate]) -> Iterator[Finding]:
    """Notes on what the input had besides, and on what is done about it."""
    used = [certificate for certificate in path.certificates if certificate in identity.given]
    in_input_order = [certificate for certificate in identity.given if certificate in used]
    if used != in_input_order:
        message = "the certificates were not in order; they are served leaf first"
        yield Finding("chain-reordered", Severity.NOTE, message)
    choices = paths(identity.leaf, identity.given, roots)
    if len(choices) > 1:
        message = f"the chain has {len(choices)} possible ways up; the one to {title(path.end)} is used"
        yield Finding("chain-cross-signed", Severity.NOTE, message)
    if len(used) > 1 and is_self_signed(used[-1]):
        message = f"the root {title(used[-1])} is in the input; it is not sent to devices"
        yield Finding("root-included", Severity.NOTE, message)
    yield from _unused(identity, choices)


def _unused(identity: Identity, choices: Sequence[Path]) -> Iterator[Finding]:
    reachable = {certificate for choice in choices for certificate in choice.certificates}
    names = [title(certificate) for certificate in identity.given if certificate not in reachable]
    if names:
        message = f"certificates that do not belong to this chain are left out: {', '.join(names[:5])}"
        yield Finding("certificate-unused", Severity.NOTE, message)
