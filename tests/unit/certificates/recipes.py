"""Create the files that a line of the corpus describes, and load and check them."""

import base64
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)

from mstunnel_setup.base.problem import Problem
from mstunnel_setup.certificates import der, load
from mstunnel_setup.certificates.certificate import Identity
from mstunnel_setup.certificates.chain_building import prefer_trusted
from mstunnel_setup.certificates.chain_findings import judge
from mstunnel_setup.certificates.pfx import outline
from tests.unit.certificates.pki import NOW, Pki, key_bytes, openssl, private_key

Recipe = dict[str, Any]
_FORMS = {
    "pkcs8": PrivateFormat.PKCS8,
    "pkcs1": PrivateFormat.TraditionalOpenSSL,
    "sec1": PrivateFormat.TraditionalOpenSSL,
    "openssh": PrivateFormat.OpenSSH,
}
TEXT = b"subject=CN = vpn.example.org\nissuer=CN = inter\n"

_EC_PUBLIC_KEY = bytes.fromhex("06072a8648ce3d0201")

# People, mail programs and editors change files in these ways.
TWEAKS: dict[str, Callable[[bytes], bytes]] = {
    "crlf": lambda data: data.replace(b"\n", b"\r\n"),
    "cr": lambda data: data.replace(b"\n", b"\r"),
    "bom": lambda data: b"\xef\xbb\xbf" + data,
    "utf16": lambda data: data.decode().encode("utf-16"),
    "utf16-be": lambda data: b"\xfe\xff" + data.decode().encode("utf-16-be"),
    "utf16-no-mark": lambda data: data.decode().encode("utf-16-le"),
    "utf16-be-no-mark": lambda data: data.decode().encode("utf-16-be"),
    "base64": base64.encodebytes,
    "armoured": lambda data: armoured("PKCS12", data),
    "many-rounds": lambda data: with_mac_rounds(data, 6_000_000),
    "text": lambda data: data.replace(b"-----BEGIN", TEXT + b"-----BEGIN"),
    "latin1-text": lambda data: b"Schl\xfcssel f\xfcr VPN\n" + data,
    "text-after": lambda data: data + b"\nissued 2026, ask the help desk\n",
    "indent": lambda data: re.sub(rb"^", b"    ", data, flags=re.MULTILINE),
    "blank-lines": lambda data: data.replace(b"\n", b"\n\n"),
    "one-line": lambda data: data.replace(b"\n", b""),
    "dos-eof": lambda data: data + b"\x1a",
    "no-last-newline": lambda data: data.rstrip(b"\n"),
    "twice": lambda data: data + data,
    "parameters": lambda data: openssl("ecparam", "-name", "prime256v1") + data,
    "crl-block": lambda data: b"-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n" + data,
    "no-end": lambda data: data[: data.rindex(b"-----END")],
    "other-end": lambda data: data.replace(b"END CERTIFICATE", b"END SERTIFICATE"),
    "bad-base64": lambda data: data.replace(b"-----\nM", b"-----\n!", 1),
    "flip": lambda data: _flipped(data, len(data) // 2),
    "flip-late": lambda data: _flipped(data, len(data) - 10),
    "half": lambda data: data[: len(data) // 2],
    "minus-one": lambda data: data[:-1],
    "header-only": lambda data: data[:3],
    "garbage-after": lambda data: data + b"\n\x00garbage",
    "huge": lambda data: data + b"\n" * 600_000,
    "ascii-transfer": lambda data: data.replace(b"\n", b"\r\n") + b"\r\n",
    "unknown-key-kind": lambda data: data.replace(_EC_PUBLIC_KEY, _EC_PUBLIC_KEY[:-1] + b"\x09"),
    "ber": lambda data: b"\x30\x80" + data[4:] + b"\x00\x00",
}

# People provide such files instead of a certificate.
REPLACEMENTS: dict[str, bytes] = {
    "empty": b"",
    "blank": b"\n \r\n",
    "noise": bytes(range(256)),
    "words": b"please see the attached mail\n",
    "html": b"<!DOCTYPE html><title>Sign in</title>",
    "as-pem": b"-----BEGIN PKCS12-----\nMIIK\n-----END PKCS12-----\n",
    "armoured-certificate": b"-----BEGIN CERTIFICATE-----\nMIIK\n-----END CERTIFICATE-----\n",
    "jks": b"\xfe\xed\xfe\xed" + bytes(range(200)),
    "jceks": b"\xce\xce\xce\xce" + bytes(range(200)),
    "der-certificate": Pki().der("leaf"),
    "base64-body": b"-----BEGIN CERTIFICATE-----\nTm90IGEgY2VydA==\n-----END CERTIFICATE-----\n",
    "bad-body": b"-----BEGIN PRIVATE KEY-----\nTm90IGEga2V5\n-----END PRIVATE KEY-----\n",
}


def armoured(label: str, data: bytes) -> bytes:
    return f"-----BEGIN {label}-----\n{base64.encodebytes(data).decode()}-----END {label}-----\n".encode()


def _flipped(data: bytes, position: int) -> bytes:
    return data[:position] + bytes([data[position] ^ 0xFF]) + data[position + 1 :]


def tweaked(data: bytes, names: list[str]) -> bytes:
    for name in names:
        data = REPLACEMENTS[name] if name in REPLACEMENTS else TWEAKS[name](data)
    return data


@dataclass(frozen=True)
class Outcome:
    identity: Identity
    settled: Identity
    findings: tuple[Problem, ...]


def run(recipe: Recipe) -> Outcome:
    """Load and check the files that the recipe describes. Raises CertificateError if they are unusable."""
    pki = Pki(recipe.get("pki", {}))
    identity = _load(recipe, pki)
    trusted = [pki.certificate(name) for name in recipe.get("trusted", [])]
    private = [pki.certificate(name) for name in recipe.get("private", [])]
    now = NOW + timedelta(days=recipe.get("after_days", 0))
    findings = judge(
        identity,
        public_address=recipe.get("address", "vpn.example.org"),
        now=now,
        trusted_roots=trusted,
        private_roots=private,
        allow_self_signed=recipe.get("lab", False),
    )
    return Outcome(identity, prefer_trusted(identity, [*trusted, *private], now), findings)


def _load(recipe: Recipe, pki: Pki) -> Identity:
    if "pfx" in recipe:
        passphrase = recipe.get("passphrase")
        data = tweaked(pfx_bytes(recipe["pfx"], pki), recipe["pfx"].get("tweaks", []))
        return load.load_identity_pfx(data, None if passphrase is None else passphrase.encode())
    key = tweaked(_key(recipe, pki), recipe.get("key_tweaks", []))
    if "files" in recipe:
        files = {f"/root/{number}.pem": _chain(file, pki) for number, file in enumerate(recipe["files"])}
        return load.load_identity_files(files, key)
    chain = _chain(recipe, pki)
    if recipe.get("key_in_chain"):
        chain, key = key + chain, b""
    return load.load_identity(chain, key)


def _chain(recipe: Recipe, pki: Pki) -> bytes:
    return tweaked(chain_bytes(recipe, pki), recipe.get("tweaks", []))


def chain_bytes(recipe: Recipe, pki: Pki) -> bytes:
    """Return the certificate file: PEM, DER, PKCS#7, TRUSTED CERTIFICATE, a PFX or a request."""
    form = recipe.get("form", "pem")
    if form == "pfx":
        return pfx_bytes({}, pki)
    if form == "request":
        subject = ("-subj", "/CN=vpn.example.org")
        return openssl("req", "-new", "-key", "/dev/stdin", *subject, stdin=key_bytes("p256"))
    names = recipe.get("chain", ["leaf", "inter"])
    if form.startswith("p7b"):
        encoding = Encoding.PEM if form == "p7b" else Encoding.DER
        return pkcs7.serialize_certificates([pki.certificate(name) for name in names], encoding)
    return b"".join(_one(form, pki, name) for name in names)


def _one(form: str, pki: Pki, name: str) -> bytes:
    if form == "der":
        return pki.der(name)
    if form == "trusted":
        return openssl("x509", "-trustout", "-addtrust", "serverAuth", "-setalias", "x", stdin=pki.pem(name))
    label = b" X509 CERTIFICATE" if form == "x509-label" else b" CERTIFICATE"
    return pki.pem(name).replace(b" CERTIFICATE", label)


def _key(recipe: Recipe, pki: Pki) -> bytes:
    owner = recipe.get("key", "leaf")
    if owner is None:
        return b""
    if isinstance(owner, list):
        return b"".join(key_bytes(pki.key_name(name)) for name in owner)
    form, _, detail = recipe.get("key_form", "pkcs8").partition("-")
    name = pki.key_name(owner)
    if form == "public":
        return openssl("pkey", "-pubout", stdin=key_bytes(name))
    if form == "explicit":
        return openssl("ec", "-param_enc", "explicit", stdin=key_bytes(name))
    if detail.startswith("encrypted"):
        return _encrypted_key(form, detail, name)
    return key_bytes(name, Encoding.DER if detail == "der" else Encoding.PEM, _FORMS[form])


def _encrypted_key(form: str, detail: str, name: str) -> bytes:
    if form == "openssh":
        return _encrypted_openssh_key(key_bytes(name, form=PrivateFormat.OpenSSH))
    encoding = Encoding.DER if detail.endswith("der") else Encoding.PEM
    data: bytes = private_key(name).private_bytes(encoding, _FORMS[form], BestAvailableEncryption(b"secret"))
    return data


def _encrypted_openssh_key(plain: bytes) -> bytes:
    """Return an OpenSSH key with a cipher in its header only.

    A reader without the passphrase sees no more than the header, and so the test does not need bcrypt.
    """
    body = base64.b64decode(b"".join(plain.splitlines()[1:-1]))
    magic = b"openssh-key-v1\0"
    fields = body.removeprefix(magic + b"\0\0\0\x04none\0\0\0\x04none\0\0\0\0")
    salt = b"\0\0\0\x10" + bytes(16) + b"\0\0\0\x10"
    header = b"\0\0\0\x0aaes256-ctr\0\0\0\x06bcrypt" + len(salt).to_bytes(4, "big") + salt
    lines = base64.encodebytes(magic + header + fields)
    return b"-----BEGIN OPENSSH PRIVATE KEY-----\n" + lines + b"-----END OPENSSH PRIVATE KEY-----\n"


_PBES = {"aes": pkcs12.PBES.PBESv2SHA256AndAES256CBC, "3des": pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC}
_OPENSSL = {
    "rc2-40": ["-legacy"],
    "rc2-128": ["-legacy", "-keypbe", "PBE-SHA1-RC2-128", "-certpbe", "PBE-SHA1-RC2-128"],
    "rc4": ["-legacy", "-keypbe", "PBE-SHA1-RC4-128", "-certpbe", "PBE-SHA1-RC4-128"],
    "rc4-40": ["-legacy", "-keypbe", "PBE-SHA1-RC4-40", "-certpbe", "PBE-SHA1-RC4-40"],
    "des": ["-legacy", "-keypbe", "des-cbc", "-certpbe", "des-cbc"],
    "pbe-md5-des": ["-legacy", "-keypbe", "PBE-MD5-DES", "-certpbe", "PBE-MD5-DES"],
    "2key-3des": ["-keypbe", "PBE-SHA1-2DES", "-certpbe", "PBE-SHA1-2DES"],
    "aes-128": ["-keypbe", "aes-128-cbc", "-certpbe", "aes-128-cbc"],
    "camellia": ["-keypbe", "camellia-256-cbc", "-certpbe", "camellia-256-cbc"],
    "no-mac": ["-nomac"],
    "plain": ["-keypbe", "NONE", "-certpbe", "NONE", "-nomac"],
    "certs-open": ["-certpbe", "NONE"],
    "pbmac1": ["-pbmac1_pbkdf2"],
    "mac-md5": ["-macalg", "md5"],
    "mac-sha1": ["-macalg", "sha1"],
    "mac-sha384": ["-macalg", "sha384"],
    "mac-sha512": ["-macalg", "sha512"],
    "mac-sha3": ["-macalg", "sha3-256"],
    "one-round": ["-iter", "1", "-noiter", "-nomaciter"],
}


def pfx_bytes(spec: Recipe, pki: Pki) -> bytes:
    """Return a PFX file, created by `cryptography` or, with other algorithms, by the openssl command."""
    if "entries" in spec:
        return _joined([pfx_bytes(spec["common"] | entry, pki) for entry in spec["entries"]])
    passphrase = spec.get("passphrase", "secret")
    cipher = spec.get("cipher", "aes")
    if cipher in _OPENSSL:
        return _pfx_by_openssl(spec, pki, _OPENSSL[cipher], passphrase)
    protection: Any = NoEncryption()
    if passphrase:
        builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2000).key_cert_algorithm(_PBES[cipher])
        protection = builder.hmac_hash(hashes.SHA256() if cipher == "aes" else hashes.SHA1()).build(
            passphrase.encode()
        )
    names = spec.get("chain", ["leaf", "inter"])
    owner = spec.get("key", "leaf")
    leaf = spec.get("leaf", names[0] if names else None)
    return pkcs12.serialize_key_and_certificates(
        b"gateway",
        private_key(pki.key_name(owner)) if owner else None,
        pki.certificate(leaf) if leaf else None,
        [pki.certificate(name) for name in names if name != leaf],
        protection,
    )


def _joined(files: list[bytes]) -> bytes:
    """Return one PFX file with the entries of all `files`, as Java writes them; none of them has a MAC."""
    safes = [node.raw for file in files for node in der.first_element(outline(file).content).sequence()]
    content = element(0xA0, element(der.OCTET_STRING, element(der.SEQUENCE, b"".join(safes))))
    data = bytes.fromhex("06092a864886f70d010701")
    return element(der.SEQUENCE, b"\x02\x01\x03" + element(der.SEQUENCE, data + content))


def element(tag: int, content: bytes) -> bytes:
    """Return a DER element with a header of five bytes."""
    return bytes([tag, 0x83]) + len(content).to_bytes(3, "big") + content


def number(value: int) -> bytes:
    """Return a positive INTEGER as DER."""
    return element(der.INTEGER, value.to_bytes(value.bit_length() // 8 + 1, "big"))


def with_mac_rounds(pfx: bytes, rounds: int) -> bytes:
    """Return the PFX file with this number of rounds in its MAC, which does not match it."""
    version, content, mac = der.first_element(pfx).sequence()
    digest, salt, *_ = mac.sequence()
    changed = element(der.SEQUENCE, digest.raw + salt.raw + number(rounds))
    return element(der.SEQUENCE, version.raw + content.raw + changed)


def _pfx_by_openssl(spec: Recipe, pki: Pki, options: list[str], passphrase: str) -> bytes:
    names = spec.get("chain", ["leaf", "inter"])
    owner = spec.get("key", "leaf")
    with TemporaryDirectory() as directory:
        certificates, key = Path(directory, "chain.pem"), Path(directory, "key.pem")
        certificates.write_bytes(b"".join(pki.pem(name) for name in names))
        if owner is None:
            source = ["-nokeys"]
        else:
            key.write_bytes(key_bytes(pki.key_name(owner)))
            source = ["-inkey", str(key)]
        return openssl(
            "pkcs12", "-export", "-in", str(certificates), *source, *options, "-passout", f"pass:{passphrase}"
        )
