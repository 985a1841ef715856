"""A file in the form of the one file, with next to nothing inside: what packages are made of in a second."""

import io
import tarfile
from pathlib import Path

from scripts.bundle.dist import EPOCH
from scripts.docs import support


def small_file(directory: Path, **more: str) -> Path:
    """Its tree has a licence, completions, manual pages and `more` files."""
    packed = io.BytesIO()
    files = {"licenses": "Apache-2.0\n", **support.files(int(EPOCH)), **more}
    files["manifest"] = (
        "".join(f"{'0' * 64} {len(text)} {name}\n" for name, text in files.items()) + "whole\n"
    )
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    path = directory / "small-file"
    path.write_bytes(b"#!/bin/sh\n__PAYLOAD__\n" + packed.getvalue())
    return path
