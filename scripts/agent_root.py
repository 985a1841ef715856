"""File system of the agent's image: the folder of scripts/tree.py, on an otherwise empty image."""

import os
from pathlib import Path

from scripts import debian, tree
from scripts.debian import Architecture

_HOME = "opt/mstunnel-setup"
_AGENT = f"""#!/{_HOME}/bin/{tree.PYTHON} -ISB
import sys
from mstunnel_setup.cli.agent import main
sys.exit(main())
"""
_ACCOUNTS = "root:x:0:0::/:\nmstunnel-agent:x:65532:65532::/:\n"
# The agent serves no lab.
_LEFT_OUT = (
    "mstunnel_setup/lab",
    "mstunnel_setup/templates/lab",
    "starlette*",
    "uvicorn*",
    "python_multipart*",
    "multipart",
    "sqlite3",
    "unittest",
)


def build(target: Architecture, root: Path) -> None:
    """Build it in `root`, which must be there."""
    home = root / _HOME
    home.mkdir(parents=True)
    # A process that runs for months carries no docstrings along.
    tree.build(target, home, optimize=2, left_out=_LEFT_OUT)
    agent = home / "bin/mstunnel-agent"
    agent.write_text(_AGENT)
    agent.chmod(0o755)
    # Where the interpreter names its loader, and the loader looks for libraries.
    for name in ("lib64", f"lib/{target.machine}-linux-gnu", f"lib/{target.loader}"):
        link = root / name
        link.parent.mkdir(exist_ok=True)
        inside = f"{_HOME}/lib/{target.loader}" if name.endswith(target.loader) else f"{_HOME}/lib"
        link.symlink_to(os.path.relpath(inside, Path(name).parent))
    _trust(debian.unpacked(target) / "files", root)
    (root / "etc/passwd").write_text(_ACCOUNTS)
    for name in ("run", "tmp", "var/lib", "usr/libexec"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "tmp").chmod(0o1777)


def _trust(files: Path, root: Path) -> None:
    """The roots of Debian's ca-certificates, at the two places where OpenSSL looks."""
    roots = sorted((files / "usr/share/ca-certificates/mozilla").iterdir())
    folder = root / "etc/ssl/certs"
    folder.mkdir(parents=True)
    (folder / "ca-certificates.crt").write_text("".join(path.read_text() for path in roots))
    places = root / "usr/lib/ssl"
    places.mkdir(parents=True)
    (places / "certs").symlink_to("/etc/ssl/certs")
    (places / "cert.pem").symlink_to("/etc/ssl/certs/ca-certificates.crt")
