"""Runs on the lab's machine: change the first object of a collection, as an administrator would.

`change_object.py LAB_DIRECTORY USER COLLECTION JSON` signs in with a device code and sends a PATCH.
"""

import json
import sys
from pathlib import Path

from mstunnel_lab import remote
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.sign_in import SignIn


def main(directory: Path, user: str, kind: str, changes: dict[str, object]) -> None:
    """Patch the first object of that kind."""
    lab = json.loads((directory / "lab.json").read_text())
    http = HttpSession(Clock(), lab["ca_file"])
    custom = cloud("custom", lab["authority"], lab["graph"])
    sign_in = SignIn(http, Clock(), custom, lab["tenant_id"], lab["client_id"])
    source = sign_in.device_code(lambda code: remote.approve(directory, code.code, user))
    headers = {"Authorization": f"Bearer {source()}"}
    collection = f"{lab['graph']}/beta/deviceManagement/{kind}"
    first = http.get(collection, headers=headers).json()["value"][0]["id"]
    answer = http.request("PATCH", f"{collection}/{first}", json=changes, headers=headers)
    if answer.status_code != 200:
        sys.exit(answer.text)


main(Path(sys.argv[1]), sys.argv[2], sys.argv[3], json.loads(sys.argv[4]))
