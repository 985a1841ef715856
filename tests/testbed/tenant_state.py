"""Runs on the lab's machine: print what of gateways the tenant holds, straight from its database."""

import json
import sqlite3
import sys

NAMED = {"servers": "ServerRecord", "applications": "ApplicationRecord", "principals": "ServicePrincipal"}


def names(database: sqlite3.Connection, kind: str) -> list[str]:
    """Display names of the entities of a kind."""
    rows = database.execute("SELECT body FROM entity WHERE kind = ? ORDER BY position", (kind,))
    return [json.loads(body)["displayName"] for (body,) in rows]


print(json.dumps({key: names(sqlite3.connect(sys.argv[1]), kind) for key, kind in NAMED.items()}))
