"""The manifest of the unpacked program: what a power cut leaves of it is never taken for the whole."""

import runpy
from contextlib import suppress
from pathlib import Path

CHECK = Path(__file__).parents[3] / "scripts/bundle/start/check.py"
FILES = {"bin/python": 12, "lib/a name with spaces.so": 3}


def test_a_manifest_that_is_cut_off_anywhere_is_not_whole(tmp_path: Path) -> None:
    state = runpy.run_path(str(CHECK))["state"]
    for path, size in FILES.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_bytes(bytes(size))
    whole = "".join(f"{'0' * 64} {size} {path}\n" for path, size in FILES.items()) + "whole\n"
    manifest = tmp_path / "manifest"
    manifest.write_text(whole)
    assert state(str(tmp_path)) == "whole"
    for end in range(len(whole)):
        manifest.write_text(whole[:end])
        # Where the name of a file is cut off, that file is not there.
        with suppress(OSError):
            assert state(str(tmp_path)) != "whole", whole[:end]
