"""Runs on the lab's machine: print an access token for Graph: `graph_token.py LAB_DIRECTORY USER`."""

import json
import sys
from pathlib import Path

from mstunnel_lab import remote
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.sign_in import SignIn


def main(directory: Path, user: str) -> None:
    """Sign in with a device code and print the token."""
    lab = json.loads((directory / "lab.json").read_text())
    http = HttpSession(Clock(), lab["ca_file"])
    custom = cloud("custom", lab["authority"], lab["graph"])
    sign_in = SignIn(http, Clock(), custom, lab["tenant_id"], lab["client_id"])
    print(sign_in.device_code(lambda code: remote.approve(directory, code.code, user))())


main(Path(sys.argv[1]), sys.argv[2])
