"""Packs the compiled modules of a library into the one file that start/packed_modules.py reads."""

import marshal
from pathlib import Path, PurePath

from scripts import ROOT

START = ROOT / "scripts/bundle/start"
READER = START / "packed_modules.py"
NAME = "modules"
# What the interpreter looks for before it can read that file, and what jinja2 loads from its directory.
_LOOSE = ("encodings", "os.pyc", f"{READER.stem}.pyc")
_PYC_HEADER_BYTES = 16
_SIZE_BYTES = 8


def pack(library: Path) -> None:
    """Move the modules below `library` into its file `modules`; directories that are empty then go, too."""
    index: dict[str, tuple[int, int, bool]] = {}
    code = bytearray()
    for path in sorted(library.rglob("*.pyc")):
        inside = path.relative_to(library)
        if any(inside.is_relative_to(loose) for loose in _LOOSE):
            continue
        for parent in inside.parents[:-1]:
            index.setdefault(_name(parent), (0, 0, True))
        is_package = inside.stem == "__init__"
        own = path.read_bytes()[_PYC_HEADER_BYTES:]
        index[_name(inside.parent if is_package else inside.with_suffix(""))] = (
            len(code),
            len(own),
            is_package,
        )
        code += own
        path.unlink()
    # This version of the format has no references: those depend on what else the process holds.
    written = marshal.dumps(dict(sorted(index.items())), 2)
    (library / NAME).write_bytes(len(written).to_bytes(_SIZE_BYTES, "big") + written + code)
    for folder in sorted((path for path in library.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder.iterdir()):
            folder.rmdir()


def _name(path: PurePath) -> str:
    return ".".join(path.parts)
