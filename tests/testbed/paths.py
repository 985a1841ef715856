"""Directories of the testbed, all below the checkout's git-ignored build directory."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CACHE = ROOT / "build" / "cache"
RUNS = ROOT / "build" / "testbeds"
IN_TESTBED = ROOT / "scripts" / "in-testbed"
# Podman's storage for image builds, and the read-only image store of every testbed.
BUILDER = CACHE / "podman"
STORE = BUILDER / "storage"

_UNPACKED = (
    '/opt/copied/mstunnel-setup --version >/dev/null && exec /usr/lib/mstunnel-setup/[0-9]*/bin/python "$@"'
)
# On a server: the interpreter inside the one file, with all that it has there.
PROGRAM_PYTHON = ("env", "MSTUNNEL_ONE_FILE=/opt/copied/mstunnel-setup", "sh", "-c", _UNPACKED, "python")
# On every host with a gateway.
JOURNAL = "/var/lib/mstunnel/journal.jsonl"
