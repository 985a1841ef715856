"""The message catalogue of the journal: what `journalctl -x` explains with an entry."""

from dataclasses import dataclass
from typing import ClassVar, Final

from typing_extensions import override

from mstunnel_setup.actions.files import CopyFile
from mstunnel_setup.actions.loaded_file import LoadedFile
from mstunnel_setup.base.text import text

DIRECTORY: Final = "/usr/lib/systemd/catalog"
"""Beside /usr/local/lib/systemd/catalog the only place that every systemd looks at; /etc is none."""


@dataclass(frozen=True, kw_only=True)
class WriteMessageCatalogue(LoadedFile):
    """Copy the file `source` to `path` and bring the database of the catalogue up to date."""

    kind: ClassVar[str] = "write-message-catalogue"
    loader: ClassVar[tuple[str, ...]] = ("journalctl", "--update-catalog")
    source: str
    digest: str

    @property
    @override
    def file(self) -> CopyFile:
        return CopyFile(path=self.path, source=self.source, digest=self.digest)

    @property
    @override
    def key(self) -> str:
        return f"catalogue:{self.path}"

    @override
    def describe(self) -> str:
        return text(
            "copy {source} to {path} and update the journal's catalogue", source=self.source, path=self.path
        )
