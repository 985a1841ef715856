"""`mstunnel-setup self verify`: whether the program is, to the last byte, what was built."""

from pathlib import Path

from mstunnel_setup.host import bundle
from mstunnel_setup.operations.errors import NOT_ONE_FILE, PROGRAM_DAMAGED, PROGRAM_FOLDER_DAMAGED
from mstunnel_setup.result import Result


def self_verify() -> Result:
    """The file and its folder. Raises CheckError when they differ, UsageError where there is no such file."""
    file = bundle.one_file()
    if file is None:
        raise NOT_ONE_FILE()
    stated, found = bundle.digests(Path(file))
    if stated != found:
        raise PROGRAM_DAMAGED(file=file, actual=found, expected=stated)
    folder = bundle.folder()
    if wrong := bundle.differences(folder):
        raise PROGRAM_FOLDER_DAMAGED(folder=folder, files=", ".join(wrong))
    data = {"file": file, "sha256": found, "folder": str(folder)}
    return Result("ok", data, text=[f"{file} and {folder} are as built (SHA-256 {found})."])
