"""1,000 sites in one `mst-admin apply`, against a lab tenant over HTTPS.

Each answer of the lab takes as long as one of Graph over the internet; without that, the lab and the command
would take turns on the processor, and several requests at once would be none.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import requests

from tests.unit.mst_admin.labs import HERE, Tenant, running

NAME: Final = "large-apply"
SITES: Final = 1000
ANSWER_SECONDS: Final = 0.2
SECONDS: Final = 60.0
"""One request after the other would take at least 200 s."""
PROGRAM: Final = "import sys; from mst_admin.cli import main; sys.exit(main())"


def declare(directory: Path, sites: int = SITES, prefix: str = "Site") -> Path:
    """A file with that many sites of one server configuration."""
    file = directory / "tenant.yaml"
    site = {"configuration": "Main", "public_address": "gateway.contoso.com"}
    configuration = {"name": "Main", "network": "169.254.0.0/16", "route_includes": ["10.0.0.0/8"]}
    file.write_text(
        json.dumps(
            {
                "version": 1,
                "configurations": [configuration],
                "sites": [{"name": f"{prefix} {number:04}", **site} for number in range(sites)],
            }
        )
    )
    return file


def command(tenant: Tenant, file: Path, *arguments: str) -> list[str]:
    """The command that applies a file to a tenant."""
    answers = str(tenant.answers())
    return [
        sys.executable,
        "-c",
        PROGRAM,
        "apply",
        str(file),
        "--no-resolve",
        "--answers",
        answers,
        *arguments,
    ]


def control(tenant: Tenant, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send a request to a control path of the lab."""
    facts = tenant.facts["control"]
    answer = requests.request(
        method,
        f"{facts['address']}/{path}",
        json=body,
        headers={"Authorization": f"Bearer {facts['key']}"},
        verify=tenant.facts["ca_file"],
        timeout=30,
    )
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def slow(seconds: float) -> dict[str, Any]:
    """The fault that lets Graph answer so late, as often as it is asked."""
    return {"path": "/beta/*", "status": 0, "delay": seconds, "times": None}


def _timed(tenant: Tenant, file: Path) -> float:
    started = time.monotonic()
    subprocess.run(command(tenant, file, "--unattended"), capture_output=True, check=True)
    return time.monotonic() - started


def measure() -> dict[str, Any]:
    """Seconds of the first apply and of a second one, which changes nothing."""
    with (
        tempfile.TemporaryDirectory() as name,
        running(Path(name, "lab"), HERE / "seed-empty.yaml") as tenant,
    ):
        file = declare(Path(name))
        control(tenant, "POST", "faults", {"faults": [slow(ANSWER_SECONDS)]})
        first, second = _timed(tenant, file), _timed(tenant, file)
        sites = len(tenant.graph().sites())
    return {
        "sites": sites,
        "seconds": round(first, 1),
        "seconds_unchanged": round(second, 1),
        "limits": {"seconds": SECONDS},
        "within_limit": first < SECONDS and sites == SITES,
    }
