"""Compare our checks of chains with OpenSSL and GnuTLS.

Both must accept every chain without an error, and at least one must refuse every chain with an error. The
programs are `openssl verify` and `certtool --verify`; the cases are those of the corpus whose id begins with
`path-`.
"""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cases import every
from tests.unit.certificates.pki import NOW, Pki
from tests.unit.certificates.test_corpus import CASES

pytestmark = pytest.mark.skipif(
    not (shutil.which("openssl") and shutil.which("certtool")),
    reason="needs openssl and certtool (gnutls-bin)",
)
Recipe = dict[str, Any]
# GnuTLS refuses every chain below an authority that excludes a directory name; OpenSSL and RFC 5280 do not.
STRICTER_BY_GNUTLS = {"path-constraint-directory-excluded-other"}
# This certificate has no name and so matches no address, but OpenSSL and GnuTLS check it without one.
REFUSED_FOR_ITS_NAMES = {"path-no-names"}
ABOUT_PATHS = [
    case for case in CASES if case["id"].startswith("path-") and case["id"] not in REFUSED_FOR_ITS_NAMES
]


@every("case", ABOUT_PATHS)
def test_openssl_and_gnutls_agree(case: dict[str, Any], tmp_path: Path) -> None:
    write_files(case["recipe"], tmp_path)
    address = case["recipe"].get("address", "vpn.example.org")
    refused_by = {
        program
        for program, command in commands(tmp_path, address).items()
        if subprocess.run(command, capture_output=True, check=False).returncode != 0
    }
    refused = any(finding.endswith(":error") for finding in case["expect"]["findings"])
    assert bool(refused_by - ({"certtool"} if case["id"] in STRICTER_BY_GNUTLS else set())) == refused


def write_files(recipe: Recipe, folder: Path) -> None:
    """Write the given chain and the trusted roots, including a root in the chain that no store has."""
    pki = Pki(recipe["pki"])
    leaf, *issuers = recipe.get("chain", ["leaf", "inter"])
    roots = [
        *recipe.get("trusted", []),
        *recipe.get("private", []),
        *(name for name in issuers if name == "root"),
    ]
    for name, certificates in {
        "leaf": [leaf],
        "issuers": issuers,
        "chain": [leaf, *issuers],
        "roots": roots,
    }.items():
        (folder / f"{name}.pem").write_bytes(b"".join(map(pki.pem, certificates)))


def commands(folder: Path, address: str | None) -> dict[str, list[str]]:
    """Return the command of each program that checks the chain for a client of `address` at NOW."""
    is_ip = address is not None and address[0].isdigit()
    openssl = ["openssl", "verify", "-purpose", "sslserver", "-attime", str(int(NOW.timestamp()))]
    openssl += ["-no-CAfile", "-no-CApath", "-no-CAstore", "-CAfile", str(folder / "roots.pem")]
    certtool = [
        "certtool",
        "--verify",
        f"--attime={NOW:%Y-%m-%d %H:%M:%S}",
        "--verify-purpose=1.3.6.1.5.5.7.3.1",
    ]
    if address is not None:
        openssl += ["-verify_ip" if is_ip else "-verify_hostname", address]
        certtool += [f"--verify-hostname={address}"]
    return {
        "openssl": [*openssl, "-untrusted", str(folder / "issuers.pem"), str(folder / "leaf.pem")],
        "certtool": [
            *certtool,
            f"--load-ca-certificate={folder / 'roots.pem'}",
            f"--infile={folder / 'chain.pem'}",
        ],
    }
