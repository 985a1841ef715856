"""`mstunnel-setup status`, with the steps that are done, and the summary at the end of an installation."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Literal

from pydantic import Field

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import SetupError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import Line, fold_all, text
from mstunnel_setup.certificates import generations
from mstunnel_setup.certificates.chain_findings import days_left
from mstunnel_setup.gateway.occtl import SHOW_COMMANDS, occtl_arguments, read_answer
from mstunnel_setup.gateway.ocserv_conf import served_port
from mstunnel_setup.install.installed import (
    account_never_began,
    become,
    complete,
    journal_of,
    rootless_account,
)
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.step_list import steps_of
from mstunnel_setup.io import accounts
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.transaction.receipt import Receipt
from mstunnel_setup.transaction.step import AnyStep

_SECONDS = 5.0


class StepTitle(Report):
    """A step."""

    name: str
    title: str


class RootlessStep(StepTitle):
    """A step of an installation without root."""

    by: Literal["root", "account"] = Field(description="Who does it.")


class StepList(Report):
    """The steps, in order."""

    steps: tuple[StepTitle, ...]
    rootless: tuple[RootlessStep, ...] = Field(description="The steps of an installation without root.")


class StoppedRun(Report):
    """The error that stopped the last run."""

    step: str
    code: str = Field(
        description="Stable, for machines; docs/reference/errors.md lists those of errors.",
        json_schema_extra={"pattern": "^[a-z0-9]+(-[a-z0-9]+)*$"},
    )
    message: str
    hint: str


class InstallationStatus(Report):
    """The finished steps, the next step, and the error that stopped the last run."""

    installed: bool = Field(
        description="Whether the installation was finished; steps that were skipped do not count."
    )
    done: tuple[str, ...] = Field(description="Names of finished steps.")
    next: str | None = Field(
        description="Name of the first step that is not done; also one that was skipped."
    )
    stopped: StoppedRun | None


def steps(_operator: Operator) -> Result[StepList]:
    """Return the steps of both kinds of installation."""
    rootless = [(scope, step) for scope in (Scope.HOST, Scope.ACCOUNT) for step in steps_of(scope)]
    report = StepList(
        steps=tuple(StepTitle(name=step.name, title=step.title) for step in steps_of(Scope.ALL)),
        rootless=tuple(
            RootlessStep(name=step.name, title=step.title, by="root" if scope is Scope.HOST else "account")
            for scope, step in rootless
        ),
    )
    rows = [
        *((item.name, item.title) for item in report.steps),
        ("", ""),
        (text("Without root (--rootless):"), ""),
        *(
            (item.name, text("{title} ({by})", title=text(item.title), by=text(item.by)))
            for item in report.rootless
        ),
    ]
    lines = [Line(f"{name!s:12} {title!s}", name, title) if title else name for name, title in rows]
    return Result(report=report, text=lines)


def status(operator: Operator) -> Result[InstallationStatus]:
    """Return which steps are done, which comes next, and why the last run stopped.

    Reads only the journals; for a rootless gateway those of both parts.
    """
    account = rootless_account(operator) if operator.files.live else ""
    if (
        account
        and not paths.ROOTLESS
        and accounts.find(account) is not None
        and not account_never_began(operator, account)
    ):
        become(operator, account)
    scopes = (Scope.HOST, Scope.ACCOUNT) if account else (Scope.ALL,)
    found = {scope: journal_of(scope, operator).receipt for scope in scopes}
    if account and not paths.ROOTLESS:
        # The account does not exist any more, or has not begun.
        found[Scope.ACCOUNT] = Receipt()
    receipts = [(receipt, steps_of(scope)) for scope, receipt in found.items()]
    waiting = [step.name for receipt, steps in receipts for step in steps if step.name not in receipt.steps]
    failure = next((receipt.failure for receipt, _ in receipts if receipt.failure is not None), None)
    stopped = None if failure is None else StoppedRun(**vars(failure))
    report = InstallationStatus(
        installed=all(complete(receipt, scope) for scope, receipt in found.items()),
        done=tuple(step.name for receipt, steps in receipts for step in steps if step.name in receipt.steps),
        next=waiting[0] if waiting else None,
        stopped=stopped,
    )
    return Result("ok", report, text=list(_lines(receipts, report)))


def _lines(
    receipts: Sequence[tuple[Receipt, Sequence[AnyStep]]], report: InstallationStatus
) -> Iterator[str]:
    if not any(receipt.entries for receipt, _ in receipts):
        yield text("Nothing is installed. Start with `mstunnel-setup`.")
        return
    for receipt, steps in receipts:
        for step in steps:
            mark = "done" if step.name in receipt.steps else "next" if step.name == report.next else "open"
            yield Line(f"{mark:5} {step.name:12} {step.title!s}", mark, step.name, step.title)
    if stopped := report.stopped:
        hint = stopped.hint or text("Run mstunnel-setup again to continue.")
        yield from fold_all(
            [
                text("Stopped at {step}: {message}", step=stopped.step, message=stopped.message),
                text("  {hint}", hint=hint),
            ]
        )
    elif not report.installed:
        yield text("Run mstunnel-setup again to continue.")


def summary(run: Run) -> list[str]:
    """Return the closing lines of a run: the result, the facts about the gateway, and the next steps.

    Facts are left out if a skipped step would have found them.
    """
    host, joined = run.host, run.joined_site
    port = served_port(host.files.read(paths.OCSERV_CONF) or b"")
    if port is None:
        return [text("Done. See the next step with `mstunnel-setup status`.")]
    address = joined.public_address if joined else ""
    leaf = generations.leaf_in_use(host.files)
    days = "" if leaf is None else text("{days_left} days left", days_left=days_left(leaf, host.clock.now()))
    rows = (
        (
            text("Address"),
            address and text("{address}, port {port} (TCP and UDP)", address=address, port=port),
        ),
        (text("Site"), joined.name if joined else ""),
        (text("Certificate"), days),
        (text("Sessions"), _sessions(run)),
    )
    next_steps = [
        text("Allow TCP and UDP port {port} to this server in every firewall in front of it.", port=port),
        text("Check the gateway with `mst-cli status`."),
        text("Save the answers for another server with `mstunnel-setup answers save FILE`."),
    ]
    return [
        text("The gateway is installed."),
        *(
            Line(f"  {f'{name!s}:':13}{value!s}", text("{name}:", name=name), value)
            for name, value in rows
            if value
        ),
        *fold_all(next_steps),
    ]


def _sessions(run: Run) -> str:
    """Return the number of sessions as text; empty if the gateway does not answer."""
    if run.console.interactive:
        with suppress(SetupError):
            status = next(command for command in SHOW_COMMANDS if command.words == ("status",))
            command = occtl_arguments(status, as_json=True)
            answer = read_answer(status, run.host.engine.execute(paths.SERVER, command, _SECONDS).output)
            found = answer.get("Active sessions") if isinstance(answer, dict) else None
            if isinstance(found, int):
                return text("{sessions} so far", sessions=found)
    return ""
