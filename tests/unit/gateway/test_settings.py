"""The parsing of ocserv.conf by the gateway's scripts."""

import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "images/gateway/settings"


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        ("dns = 10.0.0.1\n", ["10.0.0.1"]),
        ("  dns=10.0.0.1  \n", ["10.0.0.1"]),
        ('dns = "10.0.0.1"', ["10.0.0.1"]),
        ('dns = "oidc[config=/etc/a.json]"\n', ["oidc[config=/etc/a.json]"]),
        ("dns = 10.0.0.1\nroute = default\ndns = 10.0.0.2\n", ["10.0.0.1", "10.0.0.2"]),
        ("# dns = 10.0.0.1\ntunnel-all-dns = true\ndns-more = 1\n", []),
        ('dns =\ndns = "\n', ["", '"']),
        ("dns = \\n-n $(id) *\n", [r"\n-n $(id) *"]),
        ("", []),
    ],
)
def test_values_of_a_key(tmp_path: Path, configuration: str, expected: list[str]) -> None:
    file = tmp_path / "ocserv.conf"
    file.write_text(configuration)
    script = f'set -eu; . {SCRIPT}; configuration="{file}"; setting dns'
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == expected
