"""The tenant of an arena: a lab in a separate process, whose database is read and reset."""

import json
import os
import sqlite3
import subprocess
import sys
import time
import uuid
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mstunnel_lab.graph.credentials import KeyCredentialBody, stored_credentials
from mstunnel_setup.certificates.agent_certificate import new_agent_certificate

CERTIFICATE_DAYS = 90
# The applications of the seed: an installer with a secret, and one that was created in advance.
CLIENT = "77777777-7777-4777-8777-777777777777"
PREPARED = "88888888-8888-4888-8888-888888888888"
_SEED = Path(__file__).with_name("seed.yaml")


class Tenant:
    """The lab, kept in `directory`; its gateways listen on `port`. `lab` is what lab.json says."""

    def __init__(self, directory: Path, port: int) -> None:
        self._directory = directory
        place = directory / "lab"
        seed = directory / "seed.yaml"
        seed.write_text(_SEED.read_text().replace("PORT", str(port)))
        command = [sys.executable, "-c", "from mstunnel_lab.cli import main; main()", "serve"]
        self._process = subprocess.Popen(
            [*command, "--dir", place, "--port", "0", "--seed", seed], env=environment()
        )
        for _ in range(6000):
            if (place / "lab.json").exists():
                break
            assert self._process.poll() is None, "the lab did not start"
            time.sleep(0.05)
        self.lab: dict[str, Any] = json.loads((place / "lab.json").read_text())
        self._database = sqlite3.connect(place / "lab.sqlite", isolation_level=None, check_same_thread=False)
        self._prepare_identity()
        self._seeded = self.rows()

    def close(self) -> None:
        """End the lab."""
        self._process.terminate()
        self._process.wait(120)
        self._database.close()

    def reset(self) -> None:
        """Everything as the seed says."""
        self.fill(self._seeded)

    def rows(self) -> Sequence[Any]:
        """Everything it holds, for `fill`."""
        return self._database.execute("SELECT * FROM entity").fetchall()

    def fill(self, rows: Sequence[Any]) -> None:
        """Hold these and nothing else."""
        self._database.execute("BEGIN IMMEDIATE")
        self._database.execute("DELETE FROM entity")
        self._database.executemany("INSERT INTO entity VALUES (?, ?, ?, ?, ?, ?)", rows)
        self._database.execute("COMMIT")

    def made(self) -> list[tuple[str, dict[str, Any]]]:
        """What we made in it: kind and document of each."""
        seeded = {row[2] for row in self._seeded}
        rows = self._database.execute("SELECT kind, id, body FROM entity ORDER BY kind, position")
        wanted = ("ApplicationRecord", "ServicePrincipal", "ServerRecord", "AppRoleAssignment")
        return [(kind, json.loads(body)) for kind, key, body in rows if kind in wanted and key not in seeded]

    def ours(self) -> list[str]:
        """What it holds of ours, by kind and name."""
        return [f"{kind} {document.get('displayName')}" for kind, document in self.made()]

    def leave_a_record(self, site: str) -> None:
        """Know a server of our name in another site, of which it has not heard for long."""
        find = "SELECT id, body FROM entity WHERE kind = ?"
        (own, text), *_ = self._database.execute(find, ["ServerRecord"]).fetchall()
        sites = self._database.execute(find, ["SiteRecord"]).fetchall()
        site_id = next(key for key, body in sites if json.loads(body)["displayName"] == site)
        left = {**json.loads(text), "id": str(uuid.uuid4()), "siteId": site_id}
        left["lastCheckinDateTime"] = "2026-01-01T00:00:00Z"
        left["tunnelServerHealthStatus"] = "offline"
        self._database.execute(
            "INSERT INTO entity (kind, id, parent, expires, body) "
            "SELECT kind, ?, ?, expires, ? FROM entity WHERE id = ?",
            [left["id"], site_id, json.dumps(left), own],
        )

    def _prepare_identity(self) -> None:
        """Give the seeded application a certificate, as its administrator does in the portal."""
        pfx, certificate = new_agent_certificate("prepared", datetime.now(UTC), CERTIFICATE_DAYS)
        (self._directory / "prepared.pfx").write_bytes(pfx)
        (self._directory / "prepared.pfx").chmod(0o600)
        given = {"type": "AsymmetricX509Cert", "usage": "Verify", "key": b64encode(certificate).decode()}
        (key, text), *_ = self._database.execute(
            "SELECT id, body FROM entity WHERE kind = 'ApplicationRecord' AND body LIKE ?", [f"%{PREPARED}%"]
        )
        keys = stored_credentials((KeyCredentialBody.model_validate(given),), ())
        body = json.dumps({**json.loads(text), "keyCredentials": keys})
        self._database.execute("UPDATE entity SET body = ? WHERE id = ?", [body, key])


def environment() -> dict[str, str]:
    """Our environment without proxies, which would end up in `env.sh`."""
    return {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
