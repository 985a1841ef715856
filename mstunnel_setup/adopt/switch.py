"""`mstunnel-setup adopt switch`, `rollback` and `commit`; the journal has the steps forward and back."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, Final

from pydantic import BaseModel, ConfigDict

from mstunnel_setup.actions.files import CopyFile, MakeDirectory
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.actions.vendor_gateway import (
    ADOPT,
    ANSWER,
    HAND_OVER,
    KEY,
    BackUpFiles,
    NoteRunning,
    SetAside,
    SetContainerAside,
    StopUnit,
)
from mstunnel_setup.adopt.inventory import Inventory, beside
from mstunnel_setup.adopt.plan import assessment, carried_roots, require_vendor, set_aside
from mstunnel_setup.answers.merge import Answers, answered, require
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, CheckError, SetupError, StepError, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.containers.engine_options import EngineName
from mstunnel_setup.install.install import installed
from mstunnel_setup.install.lab_tenant import with_lab
from mstunnel_setup.install.preflight import refuse
from mstunnel_setup.install.report import RemovalReport, RunReport
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import chosen_steps, open_run
from mstunnel_setup.install.step_status import summary
from mstunnel_setup.install.steps import environment
from mstunnel_setup.install.uninstall import forget_program, kept, remove_installation
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.readiness.facts.vendor import MONITOR_UNIT
from mstunnel_setup.transaction.action import Action, Undo
from mstunnel_setup.transaction.receipt import Receipt, remembered
from mstunnel_setup.transaction.step import AnyStep, Step

BACKUP: Final = f"{paths.HOST_STATE}/vendor-backup.tar"
_KINDS = frozenset(kind.kind for kind in (BackUpFiles, NoteRunning, SetAside, SetContainerAside, StopUnit))
_STAYS = text(
    "Microsoft's gateway is stopped and kept. Watch this one, then run `mstunnel-setup adopt commit`; to go "
    "back, run `mstunnel-setup adopt rollback`."
)


@dataclass(frozen=True, kw_only=True)
class RunningContainer:
    """A container to stop; `for_good` if its engine would start it again."""

    engine: EngineName
    name: str
    for_good: bool


class Adoption(BaseModel):
    """The accepted plan, as data: `aside` are paths to move, `answers` are by setting path."""

    model_config = ConfigDict(frozen=True)

    digest: str
    units: tuple[str, ...] = ()
    containers: tuple[RunningContainer, ...] = ()
    aside: tuple[str, ...] = ()
    copies: tuple[CopyFile, ...] = ()
    answers: dict[str, Any]


def of_journal(receipt: Receipt) -> Adoption | None:
    """Return the adoption that has begun here and is not committed; None without one."""
    found = remembered(receipt, ANSWER)
    return None if found is None else Adoption.model_validate(found)


def carried_over(agreed: Adoption, given: Answers) -> JsonObject:
    """Return the answers of Microsoft's gateway, by setting path, except those that `given` overrides.

    Each variable of env.sh counts separately, whatever the case of its name.
    """
    found = {path: value for path, value in agreed.answers.items() if given.origins[path].kind == "default"}
    others = {name.lower() for name in given.environment}
    variables = agreed.answers.get("environment", {})
    left = {name: value for name, value in variables.items() if name.lower() not in others}
    return {**found, "environment": {**left, **given.environment}} if left else found


def in_order(adoption: Adoption, installation: Sequence[AnyStep], done: Sequence[str]) -> list[AnyStep]:
    """Return all steps of a switch; finished (`done`) steps of the adoption are not run again.

    Microsoft's containers stop just before ours start: until then they serve with their existing mounts.
    """
    theirs = "Microsoft's own gateway"
    adopt: AnyStep = Step(
        ADOPT, f"{theirs}: backup, monitor, files", lambda _: adoption, lambda facts: tuple(_before(facts))
    )
    stop: AnyStep = Step(
        HAND_OVER, f"{theirs}: stop its containers", lambda _: adoption, lambda facts: tuple(_stops(facts))
    )
    names = [step.name for step in installation]
    at = names.index("launch") if "launch" in names else len(names)
    steps = [adopt, *installation[:at], stop, *installation[at:]]
    return [step for step in steps if step.name not in done or step.name not in (ADOPT, HAND_OVER)]


def _before(adoption: Adoption) -> Iterator[Action]:
    yield StoreAnswer(name=ANSWER, value=adoption.model_dump(mode="json"))
    running: list[tuple[EngineName, str]] = [(item.engine, item.name) for item in adoption.containers]
    yield NoteRunning(units=adoption.units, containers=tuple(running))
    yield BackUpFiles(path=BACKUP, sources=adoption.aside)
    # The monitor stops first: it would start or upgrade what is stopped.
    yield from (StopUnit(unit=unit) for unit in adoption.units if unit == MONITOR_UNIT)
    yield from (SetAside(path=path, name=PurePosixPath(beside(path)).name) for path in adoption.aside)
    directories = ((paths.CONFIGURATION, 0o755), *environment.DIRECTORIES) if adoption.copies else ()
    yield from (MakeDirectory(path=path, mode=mode) for path, mode in directories)
    yield from adoption.copies


def _stops(adoption: Adoption) -> Iterator[Action]:
    yield from (StopUnit(unit=unit) for unit in adoption.units if unit != MONITOR_UNIT)
    for item in adoption.containers:
        yield SetContainerAside(
            engine=item.engine, name=item.name, aside=beside(item.name), for_good=item.for_good
        )


def switch(operator: Operator, request: InstallRequest, digest: str) -> Result[RunReport]:
    """Replace Microsoft's gateway with ours, or continue; a new switch needs the `digest` of its plan.

    After the other gateway has stopped and until ours is verified, a failure brings it back: StepError
    `adoption-rolled-back`. Before that it still serves, and a failure leaves everything for the next run.
    Raises CheckError for a plan that is outdated or blocked, and UsageError for missing answers, before the
    first change.
    """
    _refuse_account()
    request = with_lab(operator.clock, request)
    with open_run(operator, request, scope=Scope.ALL) as run:
        agreed = of_journal(run.receipt) or _agreed(run, digest)
        carried = carried_over(agreed, run.answers)
        run.answers = answered(run.answers, carried)
        installation = chosen_steps(request.skip)
        steps = in_order(agreed, installation, run.receipt.steps)
        refuse(run, steps)
        try:
            done = run.runner.run(steps, run)
        except SetupError as error:
            receipt = run.receipt
            begun = any(entry.step == HAND_OVER for entry in receipt.entries.values())
            # Their containers may be stopped, and ours are not verified yet.
            if begun and "verify" not in receipt.steps:
                _bring_back(run, error)
            raise
        return installed(RunReport.of(done), *summary(run), _STAYS)


def rollback(operator: Operator, settings: Settings, *, offline: bool) -> Result[RemovalReport]:
    """Remove our gateway and restore Microsoft's. Raises UsageError `nothing-adopted`.

    Without `offline` an unreachable tenant raises NetworkError before anything is undone.
    """
    _refuse_account()
    with open_run(operator, InstallRequest(settings), scope=Scope.ALL) as run:
        if KEY not in run.receipt.entries:
            raise _nothing_adopted(text("roll back"))
        removals = remove_installation(run, offline=offline)
    in_use = forget_program(operator)
    moved = [removal.undone.reason for removal in removals if removal.undone.outcome is Undo.RESTORED]
    lines = [text("Microsoft's gateway is running again."), *filter(None, moved)]
    return Result("changed", RemovalReport.of(removals), (*kept(removals), *in_use), text=lines)


def commit(operator: Operator) -> Result[RemovalReport]:
    """End the adoption: the administrator keeps what was set aside, and no rollback touches it."""
    _refuse_account()
    with open_run(operator, scope=Scope.ALL) as run:
        receipt = run.receipt
        if KEY not in receipt.entries:
            raise _nothing_adopted("commit")
        if "verify" not in receipt.steps:
            raise CheckError(
                "adoption-not-verified",
                "the switch is not finished",
                hint="Continue it: `mstunnel-setup adopt switch`.",
            )
        agreed = of_journal(receipt)
        theirs = [entry.key for entry in receipt.entries.values() if entry.versions[-1]["kind"] in _KINDS]
        removals = run.runner.release([*theirs, KEY], "left to the administrator")
    stays = [] if agreed is None else [*agreed.aside, *(item.name for item in agreed.containers)]
    return Result(
        "changed",
        RemovalReport.of(removals),
        text=[
            text("Kept, stopped, for you to remove:"),
            *(text("  {name}", name=beside(name)) for name in stays),
            text("  {backup}", backup=BACKUP),
        ],
    )


def _nothing_adopted(verb: str) -> UsageError:
    return UsageError(
        "nothing-adopted",
        "there is no adoption to {verb} here",
        hint="See `mstunnel-setup status`.",
        verb=verb,
    )


def _refuse_account() -> None:
    if paths.ROOTLESS:
        raise NOT_ROOT(what=text("this command"))


def _agreed(run: Run, digest: str) -> Adoption:
    found = require_vendor(run, lab=run.answers.tenant.cloud == "custom")
    assessed = assessment(run, found)
    if assessed.blockers:
        raise assessed.blockers[0]
    if not digest:
        raise UsageError(
            "adoption-plan-missing",
            "the switch needs the digest of the plan that you agreed to",
            hint="Read `mstunnel-setup adopt plan`, then give its last line: --plan DIGEST.",
        )
    if digest != found.digest:
        raise CheckError(
            "adoption-plan-outdated",
            "this host has changed since the plan {given}; nothing was changed",
            hint="Read the plan again: `mstunnel-setup adopt plan`.",
            given=digest,
        )
    if not run.console.interactive:
        # Microsoft's marker of acceptance does not cover our terms.
        require(run.answers, ("eula",))
    return Adoption(
        digest=found.digest,
        units=tuple(path.rpartition("/")[2] for path in found.signs.units),
        containers=tuple(
            RunningContainer(
                engine=item.engine,
                name=item.name,
                for_good=item.engine == "docker" or found.restarts_at_boot,
            )
            for item in found.containers
        ),
        aside=set_aside(found),
        copies=tuple(_copies(run, found)),
        answers=assessed.answers,
    )


def _copies(run: Run, found: Inventory) -> Iterator[CopyFile]:
    """Yield copies of certificate, key and trusted roots, from their paths after the directory was moved."""
    digests = {file.path: file.sha256 for file in found.files}
    wanted = {path: (path, 0o644) for path in carried_roots(found)}
    answers = run.answers
    if found.certificate.fingerprint and not (answers.certificate.chain or answers.certificate.pfx):
        wanted[found.certificate.chain] = (paths.SITE_CERTIFICATE, 0o644)
        wanted[found.certificate.key] = (paths.SITE_KEY, 0o600)
    top = f"{paths.CONFIGURATION}/"
    for source, (path, mode) in wanted.items():
        digest = digests.get(source) or run.files.digest(source)
        moved = (
            source.replace(top, f"{beside(paths.CONFIGURATION)}/", 1) if source.startswith(top) else source
        )
        yield CopyFile(path=path, source=str(run.files.locate(moved)), digest=str(digest), mode=mode)


def _bring_back(run: Run, error: SetupError) -> None:
    """Undo everything at once, without a question, so that the other gateway runs again.

    Our objects in the tenant are kept if it does not respond, or if a person would have to sign in. Raises
    StepError in any case: for the rollback, or for its failure.
    """
    by_person = not run.administrator and run.answers.sign_in.method == "device-code"
    try:
        try:
            remove_installation(run, offline=by_person)
        except SetupError:
            if by_person:
                raise
            remove_installation(run, offline=True)
    except SetupError as problem:
        raise StepError(
            "adoption-rollback-failed",
            "the switch failed ({reason}), and so did the rollback: {problem}",
            hint="{advice} Then run `mstunnel-setup adopt rollback`.",
            reason=error.message,
            problem=problem.message,
            advice=problem.hint,
        ) from error
    raise StepError(
        "adoption-rolled-back",
        "the switch failed, and Microsoft's gateway is running again: {reason}",
        hint="{advice} Then start again with `mstunnel-setup adopt plan`.",
        reason=error.message,
        advice=error.hint,
    ) from error
