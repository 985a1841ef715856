"""Runs on the lab's machine: print the SHA-256 of every device code and refresh token that was issued."""

import json
import sqlite3
import sys

KINDS = ("DeviceCodeRecord", "RefreshTokenRecord")
database = sqlite3.connect(sys.argv[1])
rows = database.execute("SELECT kind, id FROM entity WHERE kind IN (?, ?)", KINDS).fetchall()
print(json.dumps({kind: [identifier for found, identifier in rows if found == kind] for kind in KINDS}))
