"""Confirmation of the trust settings in a backup, which is not authenticated.

Whoever can write a backup can make the restored host follow their release feed, run their images, and trust
their authorities. Values that equal the program's built-in ones are trusted anyway and not shown.
"""

import hashlib
from collections.abc import Iterator, Mapping
from functools import reduce
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import UsageError
from mstunnel_setup.base.text import joined, plain, text
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.containers.release_images import release_images
from mstunnel_setup.exchange import release_feed as feed
from mstunnel_setup.exchange.release_catalogue import CATALOGUE
from mstunnel_setup.exchange.upgrade_rules import RULES
from mstunnel_setup.gateway.ocserv_conf import DEVICE_AUTHORITY
from mstunnel_setup.io.operator import Prompter

# These answers, and those that begin with `token.`, decide where the host signs in and whose tokens the
# gateway accepts.
_ANSWERS: Final = ("tenant.authority", "tenant.graph", "tenant.issuer")
_TOKENS: Final = "token."
_PINNED: Final = "tenant.ca_pem"
_LONGEST: Final = 160


def confirm_trust(
    prompter: Prompter, backup: Path, manifest: JsonObject, files: Mapping[str, bytes], *, agreed: bool
) -> None:
    """Show the trust settings of the backup and ask for confirmation, unless `agreed`.

    Raises UsageError `backup-trust-unconfirmed` if the answer is no, or if no one can be asked.
    """
    found = [*_from_files(files), *_from_answers(as_object(manifest.get("answers")))]
    if not found:
        return
    prompter.say("{backup} decides whom this host trusts:", backup=backup)
    for line in found:
        prompter.say("  {line}", line=line)
    if agreed or (prompter.interactive and prompter.confirm(text("Trust all of these"))):
        return
    raise UsageError(
        "backup-trust-unconfirmed",
        "{backup} decides whom this host trusts, and that was not confirmed: {found}",
        hint="Compare this with the original host; to accept all of it, add --trust-backup.",
        backup=backup,
        found=joined(found, "; "),
    )


def _from_files(files: Mapping[str, bytes]) -> Iterator[str]:
    """Yield lines for the release feed, release lists, upgrade rules and authorities among the files."""
    own = feed.built_in_feed()
    if feed.SETTINGS in files:
        yield text("release feed: {settings}", settings=_shown(files[feed.SETTINGS]))
    if (root := files.get(feed.ROOT)) is not None and (own is None or own.root.encode() != root):
        yield text(
            "root of the release feed: SHA-256 {digest}; this program brings {own}",
            digest=hashlib.sha256(root).hexdigest(),
            own=text("none") if own is None else own.anchor,
        )
    if (listed := files.get(CATALOGUE)) is not None:
        yield text("list of releases: SHA-256 {digest}", digest=hashlib.sha256(listed).hexdigest())
    if (rules := files.get(RULES)) is not None:
        yield text("rules for upgrades: SHA-256 {digest}", digest=hashlib.sha256(rules).hexdigest())
    for path, content in sorted(files.items()):
        if path == DEVICE_AUTHORITY:
            yield from _authorities(text("authority of devices"), content)
        elif path.startswith(f"{paths.CA_TRUST}/"):
            yield from _authorities(text("trusted authority"), content)


def _authorities(role: str, content: bytes) -> Iterator[str]:
    try:
        found = x509.load_pem_x509_certificates(content)
    except ValueError:
        yield text("{role}: SHA-256 {digest}", role=role, digest=hashlib.sha256(content).hexdigest())
        return
    for certificate in found:
        yield text(
            "{role}: {subject}, SHA-256 {digest}",
            role=role,
            subject=plain(certificate.subject.rfc4514_string(), _LONGEST),
            digest=certificate.fingerprint(SHA256()).hex(),
        )


def _from_answers(answers: JsonObject) -> Iterator[str]:
    """Yield lines for trust-related answers that differ from the defaults."""
    images, defaults = release_images(), merge({}, {})
    own = {} if images is None else {"images.server": images.gateway, "images.agent": images.agent}
    for path, value in sorted(answers.items()):
        if path in ("images.server", "images.agent"):
            # The same digest means the same image, whatever registry it comes from.
            if str(value).rpartition("@")[2] != own.get(path):
                yield text("{path}: {value}", path=path, value=plain(value, _LONGEST))
        elif path == _PINNED:
            yield from _authorities(text("trusted authority"), str(value).encode())
        elif path in _ANSWERS or path.startswith(_TOKENS):
            default: object = reduce(getattr, path.split("."), defaults)
            if value != (list(default) if isinstance(default, tuple) else default):
                yield text("{path}: {value}", path=path, value=plain(value, _LONGEST))


def _shown(content: bytes) -> str:
    return plain(content.decode(errors="replace"), _LONGEST)
