"""Sigstore signatures of images in the registry, attached as `podman push` and cosign attach them.

Format: containers-signature and cosign's signature specification; a manifest under the tag `sha256-….sig`.
"""

import base64
import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.testbed.namespace import Namespace

_UPLOAD = Path(__file__).with_name("upload.py")
_SIGNATURE = "dev.cosignproject.cosign/signature"


class Signer:
    """A key that signs releases."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())

    @property
    def public(self) -> str:
        """The public key as PEM, for an engine's policy."""
        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    def attach(self, namespace: Namespace, reference: str, authority: Path) -> None:
        """Sign the image `name@digest`; the registry answers on port 443 inside the namespace."""
        name, _, digest = reference.partition("@")
        payload = json.dumps(
            {
                "critical": {
                    "identity": {"docker-reference": name},
                    "image": {"docker-manifest-digest": digest},
                    "type": "cosign container image signature",
                },
                "optional": None,
            }
        )
        signature = base64.b64encode(self._key.sign(payload.encode(), ec.ECDSA(SHA256()))).decode()
        layer = _described(payload, "application/vnd.dev.cosign.simplesigning.v1+json")
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _described("{}", "application/vnd.oci.image.config.v1+json"),
            "layers": [{**layer, "annotations": {_SIGNATURE: signature}}],
        }
        tag = f"{digest.replace(':', '-')}.sig"
        address = f"https://127.0.0.1/v2/{name.partition('/')[2]}"
        upload = {"address": address, "tag": tag, "manifest": manifest, "blobs": [payload, "{}"]}
        namespace.run("python3", str(_UPLOAD), str(authority), stdin=json.dumps(upload))


def _described(text: str, kind: str) -> dict[str, object]:
    content = text.encode()
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": kind, "digest": digest, "size": len(content)}
