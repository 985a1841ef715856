"""Runs where the registry is: put blobs and a manifest into it. `upload.py CA_FILE` with JSON on stdin."""

import hashlib
import json
import ssl
import sys
import urllib.request
from typing import Any


def send(method: str, address: str, content: bytes, kind: str, context: ssl.SSLContext) -> str:
    """Send a request; returns where the answer points to. Raises HTTPError."""
    request = urllib.request.Request(address, content, {"Content-Type": kind}, method=method)
    with urllib.request.urlopen(request, context=context) as answer:
        return str(answer.headers.get("Location", ""))


def main(authority: str, upload: dict[str, Any]) -> None:
    """Put everything there, the manifest last."""
    context = ssl.create_default_context(cafile=authority)
    for blob in upload["blobs"]:
        place = send("POST", f"{upload['address']}/blobs/uploads/", b"", "text/plain", context)
        digest = hashlib.sha256(blob.encode()).hexdigest()
        send("PUT", f"{place}&digest=sha256:{digest}", blob.encode(), "application/octet-stream", context)
    manifest = json.dumps(upload["manifest"]).encode()
    kind = upload["manifest"]["mediaType"]
    send("PUT", f"{upload['address']}/manifests/{upload['tag']}", manifest, kind, context)


main(sys.argv[1], json.load(sys.stdin))
