"""`mstunnel-setup status`: which steps are done, which comes next, and why the last run stopped."""

from collections.abc import Iterator, Sequence

from mstunnel_setup.base import paths
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import Line, fold_all, text
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.install.installed import complete, journal_of, rootless_account
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.service_account import become
from mstunnel_setup.install.step_list import steps_of
from mstunnel_setup.io import accounts
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.transaction.receipt import Receipt
from mstunnel_setup.transaction.step import AnyStep


def status(operator: Operator) -> Result:
    """Read the journal, without root that of both parts; nothing else is looked at."""
    account = rootless_account(operator) if operator.files.live else ""
    if account and not paths.ROOTLESS and accounts.find(account) is not None:
        become(operator, account)
    scopes = (Scope.HOST, Scope.ACCOUNT) if account else (Scope.ALL,)
    found = {scope: journal_of(scope, operator).receipt for scope in scopes}
    receipts = [(receipt, steps_of(scope)) for scope, receipt in found.items()]
    installed = all(complete(receipt, scope) for scope, receipt in found.items())
    data = _data(receipts, installed=installed)
    return Result("ok", data, text=list(_lines(receipts, data)))


def _data(receipts: Sequence[tuple[Receipt, Sequence[AnyStep]]], *, installed: bool) -> JsonObject:
    done = [step.name for receipt, steps in receipts for step in steps if step.name in receipt.steps]
    waiting = [step.name for receipt, steps in receipts for step in steps if step.name not in receipt.steps]
    failure = next((receipt.failure for receipt, _ in receipts if receipt.failure is not None), None)
    return {
        "installed": installed,
        "done": [*done],
        "next": waiting[0] if waiting else None,
        "stopped": None
        if failure is None
        else {"step": failure.step, "code": failure.code, "message": failure.message, "hint": failure.hint},
    }


def _lines(receipts: Sequence[tuple[Receipt, Sequence[AnyStep]]], data: JsonObject) -> Iterator[str]:
    if not any(receipt.entries for receipt, _ in receipts):
        yield text("Nothing is installed. Start with `mstunnel-setup`.")
        return
    for receipt, steps in receipts:
        for step in steps:
            mark = "done" if step.name in receipt.steps else "next" if step.name == data["next"] else "open"
            yield Line(f"{mark:5} {step.name:12} {step.title}", mark, step.name, step.title)
    stopped = as_object(data["stopped"])
    if stopped:
        hint = stopped["hint"] or text("Run mstunnel-setup again to continue.")
        yield from fold_all(
            [
                text("Stopped at {step}: {message}", step=stopped["step"], message=stopped["message"]),
                text("  {hint}", hint=hint),
            ]
        )
    elif not data["installed"]:
        yield text("Run mstunnel-setup again to continue.")
