"""Archives whose bytes depend only on names, modes and content."""

import io
import tarfile
from gzip import GzipFile
from pathlib import Path
from typing import IO


def write(folder: Path, target: IO[bytes] | GzipFile, epoch: int) -> None:
    """Write what is in `folder`, sorted, owned by root, all of one time (seconds since 1970)."""
    with tarfile.open(fileobj=target, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path in sorted(folder.rglob("*")):
            entry = archive.gettarinfo(path, str(path.relative_to(folder)))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime = epoch
            with path.open("rb") if path.is_file() else io.BytesIO() as content:
                archive.addfile(entry, content)
