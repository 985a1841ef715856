"""Runs on a machine of the testbed: every path below the given ones, as JSON."""

import hashlib
import json
import stat
import sys
from collections.abc import Iterator
from pathlib import Path


def entry(path: Path) -> tuple[str, int, int, int, str, int]:
    """Kind, mode, owner, group, content (hash or link target), modification time in nanoseconds."""
    status = path.lstat()
    kind, content = "other", ""
    if stat.S_ISLNK(status.st_mode):
        kind, content = "link", str(path.readlink())
    elif stat.S_ISDIR(status.st_mode):
        kind = "directory"
    elif stat.S_ISREG(status.st_mode):
        kind, content = "file", hashlib.sha256(path.read_bytes()).hexdigest()
    return kind, stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, content, status.st_mtime_ns


def walk(tree: Path) -> Iterator[Path]:
    """`tree` and all below it, links not followed, caches of Python left out."""
    if tree.name == "__pycache__":
        return
    yield tree
    if tree.is_dir() and not tree.is_symlink():
        for child in sorted(tree.iterdir()):
            yield from walk(child)


trees = [Path(name) for name in sys.argv[1:]]
found = {str(path): entry(path) for tree in trees if tree.exists() for path in walk(tree)}
print(json.dumps(found))
