"""`mstunnel-setup status`: which steps are done, which comes next, and why the last run stopped."""

from collections.abc import Iterator

from mstunnel_setup import paths
from mstunnel_setup.cli import layout
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.engine.journal import Journal
from mstunnel_setup.engine.receipt import Receipt
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.host.clock import SystemClock
from mstunnel_setup.host.files import Files
from mstunnel_setup.steps.order import ORDER


def status(session: Session) -> Result:
    """Read the journal; nothing else is looked at."""
    receipt = Journal(Files(session.common.root), SystemClock(), paths.STATE).receipt
    data = _data(receipt)
    return Result("ok", data, text=list(_lines(receipt, data)))


def installed(receipt: Receipt) -> bool:
    """Whether all steps are done."""
    return all(step.name in receipt.steps for step in ORDER)


def _data(receipt: Receipt) -> JsonObject:
    waiting = [step.name for step in ORDER if step.name not in receipt.steps]
    failure = receipt.failure
    return {
        "installed": installed(receipt),
        "done": [step.name for step in ORDER if step.name in receipt.steps],
        "next": waiting[0] if waiting else None,
        "stopped": None
        if failure is None
        else {"step": failure.step, "code": failure.code, "message": failure.message, "hint": failure.hint},
    }


def _lines(receipt: Receipt, data: JsonObject) -> Iterator[str]:
    if not receipt.entries:
        yield "Nothing is installed. Start with `mstunnel-setup`."
        return
    for step in ORDER:
        mark = "done" if step.name in receipt.steps else "next" if step.name == data["next"] else "open"
        yield f"{mark:5} {step.name:12} {step.title}"
    if receipt.failure is not None:
        yield from layout.fold(f"Stopped at {receipt.failure.step}: {receipt.failure.message}")
        yield from layout.fold(f"  {receipt.failure.hint or 'Run mstunnel-setup again to continue.'}")
    elif data["next"] is not None:
        yield "Run mstunnel-setup again to continue."
