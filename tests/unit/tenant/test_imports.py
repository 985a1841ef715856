"""Help and plans stay fast: MSAL and requests are loaded by the first sign-in, not by an import."""

import subprocess
import sys

PROGRAM = """
import sys
import mstunnel_setup.actions.tenant_objects, mstunnel_setup.tenant.sign_in
print(sorted({"msal", "requests", "jwt"} & sys.modules.keys()))
"""


def test_importing_the_client_loads_no_http_library() -> None:
    found = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    assert found.stdout.strip() == "[]"
