"""Files that count once a program of the host has read them: audit rules, the journal's message catalogue."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from typing_extensions import override

from mstunnel_setup.actions.files import Composite, CopyFile, WriteFile
from mstunnel_setup.actions.host import Host
from mstunnel_setup.base.text import text
from mstunnel_setup.transaction.action import Action

AUDIT_LOADER: Final = "augenrules"
CATALOGUES: Final = "/usr/lib/systemd/catalog"
"""Beside /usr/local/lib/systemd/catalog the only place that every systemd looks at; /etc is none."""
_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class LoadedFile(Composite):
    """Write the file `path` and have `loader` (program and arguments) read it, as it does at each boot.

    What the program refuses now, or cannot do because it was uninstalled, stops no installation.
    """

    loader: ClassVar[tuple[str, ...]]
    path: str

    @override
    def take_up(self, host: Host) -> None:
        if host.processes.find(self.loader[0]) is not None:
            host.processes.run(self.loader, timeout=_SECONDS, check=False)


@dataclass(frozen=True, kw_only=True)
class WriteAuditRules(LoadedFile):
    """Write the audit rules `path` and load all rules of the host; only root reads what is watched.

    Rules that are locked, or refused because of others', come into force at the next boot: auditing is no
    condition of a gateway.
    """

    kind: ClassVar[str] = "write-audit-rules"
    key_template: ClassVar[str] = "audit:{path}"
    description: ClassVar[str] = text("write the audit rules {path} and load them")
    loader: ClassVar[tuple[str, ...]] = (AUDIT_LOADER, "--load")
    text: str

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": WriteFile(path=self.path, text=self.text, mode=0o640)}


@dataclass(frozen=True, kw_only=True)
class WriteMessageCatalogue(LoadedFile):
    """Copy the file `source` to `path` and bring the database of the catalogue up to date."""

    kind: ClassVar[str] = "write-message-catalogue"
    key_template: ClassVar[str] = "catalogue:{path}"
    description: ClassVar[str] = text("copy {source} to {path} and update the journal's catalogue")
    loader: ClassVar[tuple[str, ...]] = ("journalctl", "--update-catalog")
    source: str
    digest: str

    @property
    @override
    def parts(self) -> Mapping[str, Action]:
        return {"": CopyFile(path=self.path, source=self.source, digest=self.digest)}
