"""The gateway refuses a key that belongs to another certificate, which ocserv itself accepts."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.unit.certificates.pki import Pki, key_bytes

SCRIPT = Path(__file__).parents[3] / "images/gateway/check-configuration"
pytestmark = pytest.mark.skipif(not shutil.which("certtool"), reason="needs certtool (gnutls-bin)")


def refusal(folder: Path, chain: bytes, key: bytes) -> str:
    """Return the error of the script about the pair; empty if it accepts it."""
    (folder / "chain.pem").write_bytes(chain)
    (folder / "key.pem").write_bytes(key)
    names = f"server-cert = {folder}/chain.pem\nserver-key = {folder}/key.pem\n"
    (folder / "ocserv.conf").write_text(names)
    accepting = folder / "ocserv"
    accepting.write_text("#!/bin/sh\n")
    accepting.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    command = [str(SCRIPT), str(folder / "ocserv.conf")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert bool(done.stderr) == (done.returncode != 0)
    return done.stderr


@pytest.mark.parametrize(
    "leaf",
    [
        *({"key": key} for key in ("p256", "p521", "rsa2048", "ed25519")),
        # This certificate restricts an ordinary RSA key to PSS.
        {"key": "rsa2048", "key_form": "pss"},
    ],
    ids=str,
)
def test_the_key_of_the_certificate_is_accepted(tmp_path: Path, leaf: dict[str, str]) -> None:
    assert refusal(tmp_path, Pki({"leaf": leaf}).pem("leaf"), key_bytes(leaf["key"])) == ""


@pytest.mark.parametrize("key", ["p256", "rsa2048", "ed25519"])
def test_the_key_of_another_certificate_is_refused(tmp_path: Path, key: str) -> None:
    chain = Pki({"leaf": {"key": key}}).pem("leaf")
    assert "does not belong" in refusal(tmp_path, chain, key_bytes(f"{key}/another"))


def test_a_file_without_a_key_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, Pki().pem("leaf"), b"")
