"""Rules of the kernel's audit, which auditd loads at boot and augenrules(8) now."""

from dataclasses import dataclass
from typing import ClassVar, Final

from typing_extensions import override

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.loaded_file import LoadedFile
from mstunnel_setup.base.text import text

LOADER: Final = "augenrules"


@dataclass(frozen=True, kw_only=True)
class WriteAuditRules(LoadedFile):
    """Write the audit rules `path` and load all rules of the host; only root reads what is watched.

    Rules that are locked, or refused because of others', come into force at the next boot: auditing is no
    condition of a gateway.
    """

    kind: ClassVar[str] = "write-audit-rules"
    loader: ClassVar[tuple[str, ...]] = (LOADER, "--load")
    text: str

    @property
    @override
    def file(self) -> WriteFile:
        return WriteFile(path=self.path, text=self.text, mode=0o640)

    @property
    @override
    def key(self) -> str:
        return f"audit:{self.path}"

    @override
    def describe(self) -> str:
        return text("write the audit rules {path} and load them", path=self.path)
