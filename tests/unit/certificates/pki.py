"""Create certificates for tests from short descriptions: `{"leaf": {"names": [...], "days": 90}, ...}`."""

import ipaddress
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import (
    AuthorityInformationAccessOID,
    ExtendedKeyUsageOID,
    NameOID,
    ObjectIdentifier,
)

from mstunnel_setup.certificates import der
from mstunnel_setup.certificates.certificate import lenient_library
from mstunnel_setup.certificates.read import pem_blocks

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)

Spec = dict[str, Any]

# A case creates certificates from these descriptions, with its own changes.
CA: Spec = {"ca": True, "usage": ["key_cert_sign", "crl_sign"], "days": 1825, "start": -365, "key": "p256"}
SERVER: Spec = {
    "ca": False,
    "names": ["vpn.example.org"],
    "usage": ["digital_signature"],
    "eku": ["server"],
    "days": 90,
    "start": -10,
    "key": "p256",
}
DEFAULTS: dict[str, Spec] = {
    "leaf": {**SERVER, "issuer": "inter"},
    "other": {**SERVER, "issuer": "inter", "names": ["other.example.org"], "key": "p256/other"},
    "inter": {**CA, "issuer": "root", "key": "p256/inter", "path_length": 0},
    "upper": {**CA, "issuer": "root", "key": "p256/upper"},
    "root": {**CA, "issuer": "root", "key": "p256/root", "start": -1000, "days": 7300},
    "old-root": {**CA, "issuer": "old-root", "key": "p256/old", "start": -3000, "days": 7300},
    # The old root cross-signed the new one: it has the same name and key, but another issuer.
    "cross": {**CA, "subject": "root", "issuer": "old-root", "key": "p256/root"},
    "stranger": {**CA, "issuer": "stranger", "key": "p256/stranger", "days": 7300},
}
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
_EKU = {
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "client": ExtendedKeyUsageOID.CLIENT_AUTH,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
_ACCESSES = {
    "issuer_url": AuthorityInformationAccessOID.CA_ISSUERS,
    "responder_url": AuthorityInformationAccessOID.OCSP,
}
_CURVES = {
    "p256": ec.SECP256R1(),
    "p384": ec.SECP384R1(),
    "p521": ec.SECP521R1(),
    "k256": ec.SECP256K1(),
    "p192": ec.SECP192R1(),
    "brainpool": ec.BrainpoolP256R1(),
}
_HASHES: dict[str, Any] = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384()}


_POLICY = ObjectIdentifier("1.3.6.1.4.1.55555.1")
_LIST = [x509.UniformResourceIdentifier("http://ca.example.org/list.crl")]
_EXTRA: dict[str, x509.ExtensionType] = {
    "policies": x509.CertificatePolicies([x509.PolicyInformation(_POLICY, None)]),
    "policy-constraints": x509.PolicyConstraints(0, None),
    "any-policy-inhibited": x509.InhibitAnyPolicy(0),
    "list": x509.CRLDistributionPoints([x509.DistributionPoint(_LIST, None, None, None)]),
    "delta-list": x509.FreshestCRL([x509.DistributionPoint(_LIST, None, None, None)]),
    "issuer-names": x509.IssuerAlternativeName([x509.DNSName("ca.example.org")]),
    "stapling": x509.TLSFeature([x509.TLSFeatureType.status_request]),
    "no-check": x509.OCSPNoCheck(),
    "poison": x509.PrecertPoison(),
    "template": x509.MSCertificateTemplate(_POLICY, 1, 0),
}


@cache
def private_key(name: str) -> Any:
    """Return the key with this name, the same during the whole run: `rsa2048`, `p256`, `p256/root`, ..."""
    kind = name.partition("/")[0]
    if kind == "rsa16384":
        return _huge_rsa_key()
    if kind.startswith("rsa"):
        return rsa.generate_private_key(65537, int(kind.removeprefix("rsa")))
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    if kind == "dsa":
        return dsa.generate_private_key(2048)
    return ed448.Ed448PrivateKey.generate() if kind == "ed448" else ed25519.Ed25519PrivateKey.generate()


def _huge_rsa_key() -> rsa.RSAPrivateKey:
    """Return an RSA key of 16384 bits from the primes of two standard groups; a search takes minutes."""
    primes = []
    for name in ("modp_8192", "ffdhe8192"):
        group = openssl("genpkey", "-genparam", "-algorithm", "DH", "-pkeyopt", f"group:{name}")
        primes.append(der.first_element(next(pem_blocks(group)).der).sequence()[0].integer())
    p, q = primes
    d = pow(65537, -1, (p - 1) * (q - 1))
    parts = (p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p))
    numbers = rsa.RSAPrivateNumbers(*parts, rsa.RSAPublicNumbers(65537, p * q))
    return numbers.private_key(unsafe_skip_rsa_key_validation=True)


def key_bytes(
    name: str, encoding: Encoding = Encoding.PEM, form: PrivateFormat = PrivateFormat.PKCS8
) -> bytes:
    data: bytes = private_key(name).private_bytes(encoding, form, NoEncryption())
    return data


@dataclass
class Pki:
    """The certificates of one test case, created on first use."""

    changes: dict[str, Spec] = field(default_factory=dict)
    made: dict[str, x509.Certificate] = field(default_factory=dict)

    def spec(self, name: str) -> Spec:
        change = self.changes.get(name, {})
        base = DEFAULTS[change.get("like", name if name in DEFAULTS else "leaf")]
        return {**base, **change}

    def key_name(self, name: str) -> str:
        return str(self.spec(name)["key"])

    def certificate(self, name: str) -> x509.Certificate:
        if name not in self.made:
            self.made[name] = _make(self, name)
        return self.made[name]

    def pem(self, name: str) -> bytes:
        return self.certificate(name).public_bytes(Encoding.PEM)

    def der(self, name: str) -> bytes:
        return self.certificate(name).public_bytes(Encoding.DER)


def _subject(name: Any, organization: str | None = None, mail: str = "") -> x509.Name:
    """Return a subject; `utf8:ADDRESS` gives a mail address of the wrong string type (UTF8String)."""
    found = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)] if organization else []
    found += [x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else []
    if mail:
        kind = _ASN1Type.UTF8String if mail.startswith("utf8:") else _ASN1Type.IA5String
        found.append(x509.NameAttribute(NameOID.EMAIL_ADDRESS, mail.removeprefix("utf8:"), kind))
    return x509.Name(found)


def _make(pki: Pki, name: str) -> x509.Certificate:
    spec = pki.spec(name)
    issuer = pki.spec(spec["issuer"])
    key = private_key(spec["key"])
    start = NOW + timedelta(days=spec["start"])
    builder = x509.CertificateBuilder(
        issuer_name=_subject(issuer.get("subject", spec["issuer"]), issuer.get("organization")),
        subject_name=_subject(spec.get("subject", name), spec.get("organization"), spec.get("mail", "")),
        public_key=key.public_key(),
        serial_number=spec.get("serial") or x509.random_serial_number(),
        not_valid_before=start.replace(tzinfo=None),
        not_valid_after=(start + timedelta(days=spec["days"], seconds=-1)).replace(tzinfo=None),
    )
    for extension, critical in [*_extensions(spec), *_identifiers(spec)]:
        builder = builder.add_extension(extension, critical)
    signer = private_key(spec.get("signed-by", issuer["key"]))
    bare = isinstance(signer, ed25519.Ed25519PrivateKey | ed448.Ed448PrivateKey)
    digest = spec.get("hash", "sha256")
    certificate = builder.sign(signer, None if bare else _HASHES.get(digest, hashes.SHA256()))
    if digest in _HASHES and spec.get("serial") != 0 and "key_form" not in spec:
        return certificate
    return _signed_again(certificate, pki, spec, digest)


def _signed_again(certificate: x509.Certificate, pki: Pki, spec: Spec, digest: str) -> x509.Certificate:
    """Sign a certificate with a digest, serial number or form of public key that `cryptography` refuses."""
    with TemporaryDirectory() as directory:
        key, issuer = Path(directory, "key.pem"), Path(directory, "issuer.pem")
        key.write_bytes(key_bytes(pki.spec(spec["issuer"])["key"]))
        if certificate.issuer == certificate.subject:
            signer = ["-key", str(key)]
        else:
            issuer.write_bytes(pki.pem(spec["issuer"]))
            signer = ["-CA", str(issuer), "-CAkey", str(key), "-set_serial", str(spec.get("serial", 7))]
        if "key_form" in spec:
            public = Path(directory, "public.pem")
            public.write_bytes(_PUBLIC_KEYS[spec["key_form"]](spec["key"]))
            signer += ["-force_pubkey", str(public)]
        pem = certificate.public_bytes(Encoding.PEM)
        signed = openssl("x509", *signer, f"-{digest}", "-preserve_dates", stdin=pem)
    with lenient_library():
        return x509.load_pem_x509_certificate(signed)


def _pss_public_key(name: str) -> bytes:
    """Return the public key of the RSA key `name` as RSASSA-PSS without parameters."""
    encoded: bytes = (
        private_key(name).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    rsa_algorithm = bytes.fromhex("300d06092a864886f70d0101010500")
    assert encoded[4 : 4 + len(rsa_algorithm)] == rsa_algorithm
    body = bytes.fromhex("300b06092a864886f70d01010a") + encoded[4 + len(rsa_algorithm) :]
    return openssl(
        "pkey", "-pubin", "-inform", "DER", stdin=b"\x30\x82" + len(body).to_bytes(2, "big") + body
    )


_PUBLIC_KEYS: dict[str, Callable[[str], bytes]] = {
    "explicit": lambda name: openssl("ec", "-pubout", "-param_enc", "explicit", stdin=key_bytes(name)),
    "pss": _pss_public_key,
}


def _extensions(spec: Spec) -> list[tuple[x509.ExtensionType, bool]]:
    found: list[tuple[x509.ExtensionType, bool]] = []
    if spec.get("ca") is not None:
        found.append(
            (x509.BasicConstraints(spec["ca"], spec.get("path_length") if spec["ca"] else None), True)
        )
    if spec.get("usage") is not None:
        found.append((x509.KeyUsage(*(usage in spec["usage"] for usage in _USAGES)), True))
    if spec.get("eku") is not None:
        found.append((x509.ExtendedKeyUsage([_EKU[purpose] for purpose in spec["eku"]]), False))
    if spec.get("names") is not None:
        found.append((x509.SubjectAlternativeName([general_name(name) for name in spec["names"]]), False))
    if spec.get("permitted") or spec.get("excluded"):
        subtrees = (
            [general_name(name) for name in spec.get(which, [])] for which in ("permitted", "excluded")
        )
        permitted, excluded = (subtree or None for subtree in subtrees)
        found.append((x509.NameConstraints(permitted, excluded), True))
    if spec.get("critical"):
        found.append((x509.UnrecognizedExtension(ObjectIdentifier(spec["critical"]), b"\x05\x00"), True))
    if spec.get("features"):
        features = [x509.TLSFeatureType[name] for name in spec["features"]]
        found.append((x509.TLSFeature(features), False))
    accesses = [
        x509.AccessDescription(method, x509.UniformResourceIdentifier(spec[what]))
        for what, method in _ACCESSES.items()
        if what in spec
    ]
    if accesses:
        found.append((x509.AuthorityInformationAccess(accesses), "access" in spec.get("marked", ())))
    return found


def _identifiers(spec: Spec) -> list[tuple[x509.ExtensionType, bool]]:
    """Return key identifiers and extra extensions, each with its critical flag.

    `names_key` and `has_key` are names of keys, `extra` further extensions, `marked` the critical ones.
    """
    found: dict[str, x509.ExtensionType] = {name: _EXTRA[name] for name in spec.get("extra", ())}
    if "names_key" in spec:
        key = private_key(spec["names_key"]).public_key()
        found["authority-key"] = x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    if "names_serial" in spec:
        names = [x509.DirectoryName(_subject(spec["names_serial"][0]))]
        found["authority-key"] = x509.AuthorityKeyIdentifier(None, names, spec["names_serial"][1])
    if "has_key" in spec:
        key = private_key(spec["has_key"]).public_key()
        found["subject-key"] = x509.SubjectKeyIdentifier.from_public_key(key)
    return [(extension, name in spec.get("marked", ())) for name, extension in found.items()]


_NAMES: dict[str, Callable[[str], x509.GeneralName]] = {
    "dns": x509.DNSName,
    "mail": x509.RFC822Name,
    "uri": x509.UniformResourceIdentifier,
    "directory": lambda text: x509.DirectoryName(x509.Name.from_rfc4514_string(text)),
    "upn": lambda text: x509.OtherName(
        ObjectIdentifier("1.3.6.1.4.1.311.20.2.3"), bytes([0x0C, len(text)]) + text.encode()
    ),
}


def general_name(name: str) -> x509.GeneralName:
    """Return a general name: by its prefix (`dns:1.2.3.4`, `mail:…`), else an IP address, else a DNS name."""
    kind, _, rest = name.partition(":")
    if kind in _NAMES:
        return _NAMES[kind](rest)
    try:
        return x509.IPAddress(ipaddress.ip_network(name) if "/" in name else ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def openssl(*arguments: str, stdin: bytes = b"") -> bytes:
    """Run the openssl command, for formats that `cryptography` does not write; return its output."""
    done = subprocess.run(["openssl", *arguments], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
