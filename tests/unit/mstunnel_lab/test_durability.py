"""What the lab has answered is kept, however it ends; and many gateways check in at once."""

import json
import sqlite3
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
import requests

from tests.bench import checkins
from tests.unit.mstunnel_lab.conftest import CONFIGURATIONS, SEED, agent_form


def agent_token(description: dict[str, Any], session: requests.Session) -> str:
    address = f"{description['authority']}/oauth2/v2.0/token"
    return str(session.post(address, data=agent_form(), timeout=20).json()["access_token"])


class Writer(threading.Thread):
    """Creates configurations until the lab is gone; remembers those that were acknowledged."""

    def __init__(self, description: dict[str, Any], session: requests.Session, token: str) -> None:
        super().__init__()
        self.session = session
        self.address = f"{description['graph']}/beta{CONFIGURATIONS}"
        self.headers = {"Authorization": f"Bearer {token}"}
        self.acknowledged: list[str] = []

    def run(self) -> None:
        try:
            while True:
                body = {"displayName": f"written {len(self.acknowledged)}", "network": "10.0.0.0/8"}
                answer = self.session.post(self.address, json=body, headers=self.headers, timeout=20)
                self.acknowledged.append(answer.json()["id"])
        except requests.RequestException:
            return


@pytest.mark.parametrize("after", [5, 23])
def test_nothing_acknowledged_is_lost_when_the_lab_is_killed(
    start_lab: Callable[..., Any], trusting: Callable[[str], Any], after: int
) -> None:
    running = start_lab("--port", "0", "--seed", SEED)
    description = running.description
    with trusting(description["ca_file"]) as session:
        writer = Writer(description, session, agent_token(description, session))
        writer.start()
        deadline = time.monotonic() + 30
        while len(writer.acknowledged) < after and time.monotonic() < deadline:
            time.sleep(0.001)
        running.stop(9)
        writer.join(30)
    assert len(writer.acknowledged) >= after
    database = sqlite3.connect(running.directory / "lab.sqlite")
    assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    rows = database.execute("SELECT id FROM entity WHERE kind = 'TunnelConfiguration'").fetchall()
    database.close()
    assert set(writer.acknowledged) <= {row[0] for row in rows}
    again = start_lab("--port", "0")
    with trusting(again.description["ca_file"]) as session:
        headers = {"Authorization": f"Bearer {agent_token(again.description, session)}"}
        last = f"{again.description['graph']}/beta{CONFIGURATIONS}/{writer.acknowledged[-1]}"
        assert session.get(last, headers=headers, timeout=20).status_code == 200


def test_gateways_check_in_by_the_hundred(start_lab: Callable[..., Any]) -> None:
    """A sample of the benchmark: 300 gateways, each every six seconds, is 150 requests a second."""
    first = start_lab("--port", "0", "--seed", SEED)
    first.stop(15)
    gateways = checkins.populate(first.directory, 300)
    running = start_lab("--port", "0")
    found = checkins.run(running.directory, running.description, gateways, seconds=5, minute=6)
    assert (found.rounds, found.failed) == (250, 0)
    assert running.stop(15) == 0
    assert running.errors == ""
    database = sqlite3.connect(running.directory / "lab.sqlite")
    seen = [
        json.loads(row[0]) for row in database.execute("SELECT body FROM entity WHERE kind = 'ServerRecord'")
    ]
    blocks = database.execute("SELECT count(*) FROM trend").fetchone()[0]
    database.close()
    assert sum(item["lastCheckinDateTime"] is not None for item in seen) == 250
    assert blocks == 250
