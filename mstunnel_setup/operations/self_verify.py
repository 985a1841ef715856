"""`mstunnel-setup self verify`: whether the program is, to the last byte, what was built."""

from pathlib import Path

from mstunnel_setup.errors import CheckError, UsageError
from mstunnel_setup.host import bundle
from mstunnel_setup.result import Result


def self_verify() -> Result:
    """The file and its folder. Raises CheckError when they differ, UsageError where there is no such file."""
    file = bundle.one_file()
    if file is None:
        raise UsageError(
            "not-one-file",
            "this program came as a Python package, not as the one file",
            "Verify it with the tool that installed it.",
        )
    stated, found = bundle.digests(Path(file))
    if stated != found:
        raise CheckError(
            "program-damaged",
            f"the payload of {file} has the SHA-256 {found} instead of {stated}",
            "Copy the file again and compare it with SHA256SUMS of its release.",
        )
    folder = bundle.folder()
    if wrong := bundle.differences(folder):
        raise CheckError(
            "program-damaged",
            "\n".join(f"{folder}/{each}" for each in wrong),
            f"Remove {folder}; the next start unpacks it again.",
        )
    data = {"file": file, "sha256": found, "folder": str(folder)}
    return Result("ok", data, text=[f"{file} and {folder} are as built (SHA-256 {found})."])
