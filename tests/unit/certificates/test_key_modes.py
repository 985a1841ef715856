"""Private keys are never readable by other accounts, not even briefly: strace records how they are written.

The given files are the worst supported case: each of them holds both the chain and the key.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.certificates.pki import Pki, key_bytes
from tests.unit.certificates.recipes import chain_bytes

STRACE = shutil.which("strace") or ""
PKI = Pki({"leaf": {"start": 0, "days": 3650}})
# The script runs the actions of an import: a generation, copies to the default paths, the agent's credential.
SCRIPT = """
import sys
from dataclasses import dataclass
from pathlib import Path
from mstunnel_setup.actions.files import MakeDirectory
from mstunnel_setup.actions.host import Host
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.actions.certificates import CreateAgentCredential, PlaceIdentity
from mstunnel_setup.certificates.load import IdentitySource
from mstunnel_setup.install.steps.certificate import copies
from mstunnel_setup.certificates.load import fingerprint

class Ports(Host):
    trusted_roots = ()
    state_directory = "/state"

@dataclass
class Run:
    host: Ports
    files: Files

root = Path(sys.argv[1])
ports = Ports(Files(root), None, Clock(), None, None)
source = IdentitySource(chain=str(root / "given.pem"), key=str(root / "given.key"))
identity = ports.load(source)
for action in (
    *(MakeDirectory(path=path) for path in ("/etc", "/etc/mstunnel", "/etc/mstunnel/certs")),
    *(MakeDirectory(path=path, mode=0o700) for path in ("/private", "/etc/mstunnel/private")),
    PlaceIdentity(directory="/private", source=source, fingerprint=fingerprint(identity)),
    *copies(Run(ports, ports.files), source, identity),
    CreateAgentCredential(path="/agent.p12", common_name="gw"),
):
    action.capture(ports)
    action.apply(ports, {})
    assert action.satisfied(ports, {}), action
action.capture(ports)
"""
_OPENED = re.compile(r'openat\(.*?, "([^"]+)", [^,)]+(?:, (0[0-7]+))?\) = (\d+)')
_CHANGED = re.compile(r'f?chmod(?:at)?2?\((?:(\d+)|[^)]*"([^"]+)"), (0[0-7]+)')


def _can_trace() -> bool:
    return bool(STRACE) and subprocess.run([STRACE, "-o", "/dev/null", "true"], check=False).returncode == 0


@pytest.mark.skipif(not _can_trace(), reason="needs strace and the right to trace")
def test_keys_are_never_readable_by_others(tmp_path: Path) -> None:
    both = chain_bytes({"chain": ["leaf", "inter"]}, PKI) + key_bytes("p256")
    (tmp_path / "given.pem").write_bytes(both)
    (tmp_path / "given.key").write_bytes(both)
    script, log, root = tmp_path / "script.py", tmp_path / "trace", str(tmp_path)
    script.write_text(SCRIPT)
    calls = "trace=open,openat,creat,chmod,fchmod,fchmodat,fchmodat2"
    # With umask 0 every protection must come from the program itself.
    command = f'umask 0; exec "{STRACE}" -f -e {calls} -o "{log}" "{sys.executable}" -B "{script}" "{root}"'
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    opened: dict[str, str] = {}
    modes: dict[str, list[int]] = {}
    for line in log.read_text().splitlines():
        if found := _OPENED.search(line):
            opened[found[3]] = found[1]
            modes.setdefault(found[1], []).extend([int(found[2], 8)] if found[2] else [])
        elif found := _CHANGED.search(line):
            modes.setdefault(opened.get(found[1] or "", found[2] or ""), []).append(int(found[3], 8))
    names = re.compile(r"\.(key\.pem|site\.key|agent\.p12)\.[0-9a-f]+")
    secret = {name: seen for name, seen in modes.items() if names.fullmatch(name)}
    assert len(secret) == 3, modes
    assert all(mode == 0o600 for seen in secret.values() for mode in seen), secret
    with_key = [
        path for path in tmp_path.rglob("*") if path.is_file() and b"PRIVATE KEY-" in path.read_bytes()
    ]
    assert {path.name for path in with_key if not path.name.startswith("given.")} == {"key.pem", "site.key"}
