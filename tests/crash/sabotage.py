"""Deliberately broken actions: proof that the crash tests can fail."""

from collections.abc import Callable, Mapping
from typing import Any

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.tenant_objects import RegisterServer
from mstunnel_setup.transaction.action import Undo, Undone
from mstunnel_setup.transaction.journal import Journal


def forget_undo() -> None:
    """A file action that says it took the file away, and did not."""

    def undo(_self: Any, _ports: Any, _record: Any) -> Undone:
        return Undone(Undo.REMOVED)

    WriteFile.undo = undo  # type: ignore[method-assign,assignment]


def not_idempotent() -> None:
    """A registration that never looks for what a cut-off run has made."""

    def apply(self: RegisterServer, host: Any, outputs: Any) -> Any:
        return {
            "server_id": host.graph.create_server(self.site_id, self.server_name, self.deployment_mode).id
        }

    RegisterServer.apply = apply  # type: ignore[method-assign]


def act_before_journal() -> None:
    """A journal that keeps its `begin` records back until the action is done."""
    append = Journal.append
    waiting: list[Any] = []

    def late(self: Journal, kind: str, **fields: Any) -> None:
        waiting.append((kind, fields))
        if kind != "begin":
            for item, kept in waiting:
                append(self, item, **kept)
            waiting.clear()

    Journal.append = late  # type: ignore[method-assign]


BROKEN: Mapping[str, Callable[[], None]] = {
    "forget-undo": forget_undo,
    "not-idempotent": not_idempotent,
    "act-before-journal": act_before_journal,
}
