"""Finding secrets in what a run left behind, however they are written."""

import base64
import hashlib
import io
import re
import tarfile
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import quote_from_bytes

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.testbed.machine import Machine

# Where the keys of gateway and agent belong; everything else of the system's own is read.
_KEYS = ("etc/mstunnel/private", "etc/mstunnel/agent/agent.p12", "etc/mstunnel/agent/agent-secret")
_DIRECTORIES = ("etc", "run", "var/lib/mstunnel", "var/log")
_LINE_BREAKS = re.compile(rb"\\r|\\n|[\r\n]")

_PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(
    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
)
LOGGED = {
    "client secret": ("cli8Q~entSecret.0123456789-abcdefghijklm", "sent client_secret={}&grant_type=x"),
    "secret of Entra": ("ent8Q~raSecret_0123456789-abcdefghijklmn", "AADSTS7000215: invalid: {} given"),
    "PFX passphrase": ("four words of-a phrase", "passphrase: {}"),
    "passphrase on a command line": ("Phrase/of+a-command", "ran openssl pkcs12 -passin pass:{} -in x"),
    "cookie": ("Cookie/Of+A=Session", "Cookie: lang=en; webvpn={}; other=1"),
    "bearer token": ("Opaque.Token~of_a-device", "Authorization: Bearer {}"),
    "token": ("eyJhbGciOi.eyJzdWIiOiJkZXZpY2Ui.c2lnbmF0dXJl", "got {} from Entra"),
    "private key": (_PEM.decode().splitlines()[1], "-----BEGIN PRIVATE KEY-----\n{}"),
    "sign-in code": ("0.AXwCodeOfASignIn", "GET /done?session=1&code={}&state=7 HTTP/1.1"),
    "signature": ("U2lnbmF0dXJlT2ZBQmxvYg%3D%3D", "PUT https://blob.example/x?sv=1&sig={}"),
    "shared key": ("Shared,Key;with=signs", "client: shared_key='{}'"),
}
"""Kind of secret -> the secret, and how other programs write it."""

SETTINGS = {
    "proxy without a scheme": ("Proxy:word@of/it", "https_proxy=user:{}@proxy.example:3128"),
    "proxy": ("Word/of~another", "http_proxy='http://user:{}@proxy.example:3128/'"),
    "RADIUS setting": ("Key, of; RADIUS", "RADIUS_KEY='{}'"),
}
"""The same for lines of `env.sh`."""


def forms(secret: bytes) -> dict[str, bytes]:
    """The secret as it may appear: itself, Base64 (anywhere in a text), URL, hex, UTF-16, reversed."""
    written = {
        "raw": secret,
        "URL": quote_from_bytes(secret, safe="").encode(),
        "hex": secret.hex().encode(),
        "UTF-16": secret.decode("latin-1").encode("utf-16-le"),
        "reversed": secret[::-1],
    }
    for shift in range(3):
        # The characters at both ends depend on the neighbours.
        inner = base64.b64encode(b"\0" * shift + secret)[4 * (shift > 0) :].rstrip(b"=")[:-1]
        written[f"Base64+{shift}"] = inner
        written[f"Base64url+{shift}"] = inner.translate(bytes.maketrans(b"+/", b"-_"))
    return written


def leaks(secrets: Mapping[str, bytes], places: Mapping[str, bytes]) -> list[str]:
    """`SECRET as FORM in PLACE` for every secret found."""
    return [
        f"{name} as {form} in {place}"
        for place, content in places.items()
        for text in [content, _LINE_BREAKS.sub(b"", content)]
        for name, secret in secrets.items()
        for form, written in forms(secret).items()
        if written in text or (form == "hex" and written.upper() in text)
    ]


def leaked_tokens(digests: Collection[str], length: int, places: Mapping[str, bytes]) -> list[str]:
    """Places of URL-safe tokens of `length` characters of which only the SHA-256 (hex) is known."""
    return [
        place
        for place, content in places.items()
        if any(
            hashlib.sha256(token).hexdigest() in digests
            for text in (content, content[::-1], content.replace(b"\0", b""))
            for token in _tokens(text, length)
        )
    ]


def _tokens(content: bytes, length: int) -> Iterator[bytes]:
    for run in re.findall(rb"[A-Za-z0-9_-]{%d,}" % length, content):
        yield from (run[start : start + length] for start in range(len(run) - length + 1))


def left_behind(machine: Machine) -> dict[str, bytes]:
    """All files that a run may have written, but the places of keys; and the system's journal."""
    excluded = [
        *(f"--exclude={place}" for place in _KEYS),
        "--exclude=var/log/journal",
        "--exclude=run/podman",
        "--exclude=run/systemd/inaccessible",
    ]
    # Files of a running system change while they are read (code 1), sockets are passed over.
    script = f"tar -C / -c {' '.join([*excluded, *_DIRECTORIES])} 2>/dev/null | base64"
    packed = base64.b64decode(machine.shell(script, timeout=120).stdout)
    found = {"journal": machine.run(["journalctl", "--no-pager", "--output=export"]).stdout.encode()}
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for member in archive.getmembers():
            stream = archive.extractfile(member) if member.isfile() else None
            if stream is not None:
                found[f"/{member.name}"] = stream.read()
    return found
