"""Acknowledged changes survive the end of the lab, and many gateways check in at once."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import requests

from tests.bench import checkins
from tests.unit.mstunnel_lab.conftest import CONFIGURATIONS, SEED, LabClient, connected


@pytest.mark.parametrize("after", [5, 23])
def test_acknowledged_changes_survive_a_kill(start_lab: Callable[..., Any], after: int) -> None:
    running, acknowledged = start_lab("--seed", SEED), list[str]()

    def write(client: LabClient) -> None:
        """Create configurations until the lab ends."""
        with suppress(requests.RequestException):
            while True:
                body = {"displayName": f"written {len(acknowledged)}", "network": "10.0.0.0/8"}
                acknowledged.append(client.create(CONFIGURATIONS, body, "app:agent")["id"])

    with connected(running.description) as client:
        writer = threading.Thread(target=write, args=[client])
        writer.start()
        deadline = time.monotonic() + 30
        while len(acknowledged) < after and time.monotonic() < deadline:
            time.sleep(0.001)
        running.stop(9)
        writer.join(30)
    assert len(acknowledged) >= after
    database = sqlite3.connect(running.directory / "lab.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows = database.execute("SELECT id FROM entity WHERE kind = 'TunnelConfiguration'").fetchall()
    database.close()
    assert set(acknowledged) <= {row[0] for row in rows}
    with connected(start_lab().description) as client:
        assert client.status("app:agent", "GET", f"{CONFIGURATIONS}/{acknowledged[-1]}") == 200


def test_data_of_an_earlier_version_is_served(start_lab: Callable[..., Any]) -> None:
    """Check a database of version 0.2.0, which stored the groups of users."""
    first = start_lab("--seed", SEED)
    first.stop(15)
    database = sqlite3.connect(first.directory / "lab.sqlite")
    with database:
        database.execute(
            "UPDATE entity SET body = json_set(body, '$.groups', json('[]')) WHERE kind = 'UserRecord'"
        )
    database.close()
    with connected(start_lab().description) as client:
        assert client.status("admin", "GET", CONFIGURATIONS) == 200


def test_hundreds_of_gateways_check_in(start_lab: Callable[..., Any]) -> None:
    """Check a sample of the benchmark: 300 gateways, each every six seconds, are 150 requests a second."""
    first = start_lab("--seed", SEED)
    first.stop(15)
    gateways = checkins.populate(first.directory, 300)
    running = start_lab()
    found = checkins.run(running.directory, running.description, gateways, seconds=5, minute=6)
    assert (found.rounds, found.failed) == (250, 0)
    assert running.stop(15) == 0
    assert running.errors == ""
    database = sqlite3.connect(running.directory / "lab.sqlite")
    seen = [
        json.loads(row[0]) for row in database.execute("SELECT body FROM entity WHERE kind = 'ServerRecord'")
    ]
    database.close()
    assert sum(item["lastCheckinDateTime"] is not None for item in seen) == 250
