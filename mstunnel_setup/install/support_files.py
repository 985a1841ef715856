"""Completions and manual pages that the one file brings: where they come from, where a host has them."""

from collections.abc import Iterator
from pathlib import Path

from mstunnel_setup.engine.file_actions import CopyFile
from mstunnel_setup.host.files import Files

FOLDERS = {
    "bash": ("/usr/share/bash-completion/completions",),
    "fish": ("/usr/share/fish/vendor_completions.d",),
    "zsh": ("/usr/share/zsh/vendor-completions", "/usr/share/zsh/site-functions"),
    "man1": ("/usr/share/man/man1",),
    "man5": ("/usr/share/man/man5",),
    "man8": ("/usr/share/man/man8",),
}
"""By a folder of ours (scripts/support.py), those of the host: Debian's, then that of other distributions."""


def placed(files: Files, support: Path) -> Iterator[CopyFile]:
    """What copies the files of `support` into folders that the host has: a missing shell needs none."""
    for kind, folders in FOLDERS.items():
        target = next((folder for folder in folders if files.state(folder) is not None), None)
        for name in files.given.names(str(support / kind)) if target else ():
            source = str(support / kind / name)
            digest = files.digest_given(source)
            if digest is not None:
                yield CopyFile(path=f"{target}/{name}", source=source, digest=digest, managed=True)
