"""Runs on the lab's machine: sign in with a device code, as an administrator, and use Graph.

`graph.py LAB_DIRECTORY USER` prints an access token; with COLLECTION and JSON behind them it sends a PATCH
for the first object of that collection.
"""

import json
import sys
from pathlib import Path

from mstunnel_lab import remote
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.sign_in import SignIn


def main(directory: Path, user: str, *change: str) -> None:
    """Print the token, or use it for the change."""
    lab = json.loads((directory / "lab.json").read_text())
    http = HttpSession(Clock(), lab["ca_file"])
    custom = cloud("custom", lab["authority"], lab["graph"])
    sign_in = SignIn(http, Clock(), custom, lab["tenant_id"], lab["client_id"])
    token = sign_in.device_code(lambda code: remote.approve(directory, code.code, user))()
    if not change:
        print(token)
        return
    kind, properties = change
    headers = {"Authorization": f"Bearer {token}"}
    collection = f"{lab['graph']}/beta/deviceManagement/{kind}"
    first = http.get(collection, headers=headers).json()["value"][0]["id"]
    answer = http.request("PATCH", f"{collection}/{first}", json=json.loads(properties), headers=headers)
    if answer.status_code != 200:
        sys.exit(answer.text)


main(Path(sys.argv[1]), *sys.argv[2:])
