"""Faults that a case of an end-to-end test prepares."""

from collections.abc import Callable
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.testbed.certificates import as_pfx
from tests.testbed.installation import PUBLIC_ADDRESS, Installation

PASSPHRASE = b"correct horse battery staple"
Change = Callable[[Installation], None]


def answers(**changes: Any) -> Change:
    return lambda host: host.write_answers(changes)


def tenant(**changes: Any) -> Change:
    return lambda host: host.write_answers({"tenant": {**host.answers()["tenant"], **changes}})


def certificate(chain: bytes, key: bytes, host: Installation) -> None:
    host.place_certificate(chain, key)


def another_key(host: Installation) -> None:
    chain, _ = host.authority.issue(PUBLIC_ADDRESS)
    _, key = host.authority.issue(PUBLIC_ADDRESS)
    certificate(chain, key, host)


def encrypted_key(host: Installation) -> None:
    chain, key = host.authority.issue(PUBLIC_ADDRESS)
    locked = load_pem_private_key(key, None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSPHRASE)
    )
    certificate(chain, locked, host)


def issued(name: str, days: int = 90) -> Change:
    return lambda host: certificate(*host.authority.issue(name, days=days), host)


def pfx(typed: bytes) -> Change:
    """A PFX file, and `typed` in the file of its passphrase."""

    def arrange(host: Installation) -> None:
        content = as_pfx(*host.authority.issue(PUBLIC_ADDRESS), PASSPHRASE)
        host.server.write("/root/site.pfx", content, 0o600)
        host.server.write("/root/passphrase", typed, 0o600)
        host.write_answers({"certificate": {"pfx": "/root/site.pfx", "passphrase": "file:/root/passphrase"}})

    return arrange


def run(*command: str) -> Change:
    def change(host: Installation) -> None:
        host.server.run(command)

    return change


def shell(script: str) -> Change:
    def change(host: Installation) -> None:
        host.server.shell(script)

    return change


def foreign_root(host: Installation) -> None:
    host.server.write("/root/other-ca.pem", host.authority.pem)
    tenant(ca_file="/root/other-ca.pem")(host)


def unknown_digest(host: Installation) -> None:
    name = host.references["gateway"].partition("@")[0]
    answers(images={"server": f"{name}@sha256:{'0' * 64}", "agent": host.references["agent"]})(host)
