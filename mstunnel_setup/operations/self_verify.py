"""`mstunnel-setup self verify`: whether the program is, to the last byte, what was built."""

from pathlib import Path

from mstunnel_setup.errors import CheckError
from mstunnel_setup.host import bundle
from mstunnel_setup.operations.errors import NOT_ONE_FILE, PROGRAM_DAMAGED
from mstunnel_setup.result import Result


def self_verify() -> Result:
    """The file and its folder. Raises CheckError when they differ, UsageError where there is no such file."""
    file = bundle.one_file()
    if file is None:
        raise NOT_ONE_FILE()
    stated, found = bundle.digests(Path(file))
    if stated != found:
        raise PROGRAM_DAMAGED(file=file, found=found, stated=stated)
    folder = bundle.folder()
    if wrong := bundle.differences(folder):
        raise CheckError(
            "program-damaged",
            "\n".join(f"{folder}/{each}" for each in wrong),
            f"Remove {folder}; the next start unpacks it again.",
        )
    data = {"file": file, "sha256": found, "folder": str(folder)}
    return Result("ok", data, text=[f"{file} and {folder} are as built (SHA-256 {found})."])
