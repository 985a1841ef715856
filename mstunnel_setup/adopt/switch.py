"""`mstunnel-setup adopt switch`, `rollback` and `commit`: the journal knows the way on and the way back."""

from collections.abc import Iterator

from mstunnel_setup.actions import vendor_gateway
from mstunnel_setup.actions.host import Scope
from mstunnel_setup.actions.vendor_gateway import (
    BackUpFiles,
    NoteRunning,
    SetAside,
    SetContainerAside,
    StopUnit,
)
from mstunnel_setup.adopt import adoption
from mstunnel_setup.adopt.adoption import Adoption, Copy, Stopped
from mstunnel_setup.adopt.assessment import carried_roots, set_aside
from mstunnel_setup.adopt.commands import assessment, require_vendor
from mstunnel_setup.adopt.errors import (
    NOTHING_ADOPTED,
)
from mstunnel_setup.adopt.inventory import Inventory
from mstunnel_setup.answers.merge import answered, require
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, CheckError, SetupError, StepError, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.install.install import installed, steps_data
from mstunnel_setup.install.preflight import judging, refuse_unready
from mstunnel_setup.install.request import InstallRequest, with_lab
from mstunnel_setup.install.session import Run, chosen_steps, open_run, require_answers
from mstunnel_setup.install.status import summary
from mstunnel_setup.install.uninstall import as_data, forget_program, kept, remove_installation
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.transaction.action import Undo
from mstunnel_setup.transaction.runner import Removal

_KINDS = frozenset(kind.kind for kind in (BackUpFiles, NoteRunning, SetAside, SetContainerAside, StopUnit))
_STAYS = text(
    "Microsoft's gateway is stopped and kept. Watch this one, then run `mstunnel-setup adopt commit`; to go "
    "back, run `mstunnel-setup adopt rollback`."
)


def switch(operator: Operator, request: InstallRequest, digest: str) -> Result:
    """Put our gateway in the place of Microsoft's, or continue; `digest` is of the plan, for the beginning.

    From the stop of the other gateway until ours is verified, a failure brings it back: StepError
    `adoption-rolled-back`. Before that it still serves, and a failure leaves everything for the next run.
    Raises CheckError for a plan that is outdated or blocked, and UsageError where answers are missing,
    before the first change.
    """
    _refuse_account()
    request = with_lab(operator.clock, request)
    with open_run(
        operator,
        request.settings,
        progress_fd=request.progress_fd,
        ignored_checks=request.ignored_checks,
        scope=Scope.ALL,
    ) as run:
        agreed = adoption.of_journal(run.context.receipt) or _agreed(run, digest)
        carried = adoption.carried_over(agreed, run.context.answers)
        run.context.cache.answers = answered(run.context.answers, carried)
        installation = chosen_steps(request.skip)
        steps = adoption.in_order(agreed, installation, run.context.receipt.steps)
        require_answers(run, installation)
        refuse_unready(run.context, [step.name for step in steps])
        try:
            done = run.runner.run(judging(steps), run.context)
        except SetupError as error:
            if _is_between(run):
                _bring_back(run, error)
            raise
        return installed(steps_data(done), *summary(run.context), _STAYS)


def rollback(operator: Operator, settings: Settings, *, offline: bool) -> Result:
    """Remove ours and bring Microsoft's gateway back as it was. Raises UsageError `nothing-adopted`.

    Without `offline` an unreachable tenant raises NetworkError before anything is undone.
    """
    _refuse_account()
    with open_run(operator, settings, scope=Scope.ALL) as run:
        if vendor_gateway.KEY not in run.context.receipt.entries:
            raise NOTHING_ADOPTED(verb=text("roll back"))
        removals = remove_installation(run, offline=offline)
    in_use = forget_program(operator)
    moved = [removal.undone.reason for removal in removals if removal.undone.outcome is Undo.RESTORED]
    lines = [text("Microsoft's gateway is back."), *filter(None, moved)]
    return Result("changed", as_data(removals), (*kept(removals), *in_use), text=lines)


def commit(operator: Operator) -> Result:
    """End the adoption: what was set aside is the administrator's from now on, and no rollback touches it."""
    _refuse_account()
    with open_run(operator, {}, scope=Scope.ALL) as run:
        receipt = run.context.receipt
        if vendor_gateway.KEY not in receipt.entries:
            raise NOTHING_ADOPTED(verb="commit")
        if "verify" not in receipt.steps:
            raise CheckError(
                "adoption-not-verified",
                "the switch is not finished",
                hint="Continue it: `mstunnel-setup adopt switch`.",
            )
        agreed = adoption.of_journal(receipt)
        theirs = [entry.key for entry in receipt.entries.values() if entry.versions[-1]["kind"] in _KINDS]
        removals = run.runner.release([*theirs, vendor_gateway.KEY], "left to the administrator")
    stays = [] if agreed is None else [*agreed.aside, *(item.name for item in agreed.containers)]
    return Result(
        "changed",
        as_data(removals),
        text=[
            text("Kept, stopped, for you to remove:"),
            *(text("  {name}", name=adoption.beside(name)) for name in stays),
            text("  {backup}", backup=adoption.BACKUP),
        ],
    )


def _refuse_account() -> None:
    if paths.ROOTLESS:
        raise NOT_ROOT(what=text("this command"))


def _agreed(run: Run, digest: str) -> Adoption:
    """The adoption that the plan with `digest` describes."""
    found = require_vendor(run, lab=run.context.answers.tenant.cloud == "custom")
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
    if not run.context.prompter.interactive:
        # Microsoft's marker of acceptance is not about our terms.
        require(run.context.answers, ("eula",))
    return Adoption(
        digest=found.digest,
        units=tuple(path.rpartition("/")[2] for path in found.signs.units),
        containers=tuple(
            Stopped(
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


def _copies(run: Run, found: Inventory) -> Iterator[Copy]:
    """The certificate, its key and the trusted roots, from where they lie once the directory is aside."""
    digests = {file.path: file.sha256 for file in found.files}
    wanted = {path: (path, 0o644) for path in carried_roots(found)}
    answers = run.context.answers
    if found.certificate.fingerprint and not (answers.certificate.chain or answers.certificate.pfx):
        wanted[found.certificate.chain] = (paths.SITE_CERTIFICATE, 0o644)
        wanted[found.certificate.key] = (paths.SITE_KEY, 0o600)
    for source, (path, mode) in wanted.items():
        digest = digests.get(source) or run.files.digest(source)
        place = str(run.files.locate(_moved(source)))
        yield Copy(path=path, source=place, digest=str(digest), mode=mode)


def _moved(path: str) -> str:
    below = path.removeprefix(f"{paths.CONFIGURATION}/")
    return path if below == path else f"{adoption.beside(paths.CONFIGURATION)}/{below}"


def _is_between(run: Run) -> bool:
    """Whether Microsoft's containers may be stopped, and ours have not proved themselves yet."""
    receipt = run.context.receipt
    begun = any(entry.step == vendor_gateway.HAND_OVER for entry in receipt.entries.values())
    return begun and "verify" not in receipt.steps


def _bring_back(run: Run, error: SetupError) -> None:
    """Undo everything at once. Raises StepError: that it was done, or that it failed too."""
    try:
        _removed(run)
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
        "the switch failed, and Microsoft's gateway serves again: {reason}",
        hint="{advice} Then start again with `mstunnel-setup adopt plan`.",
        reason=error.message,
        advice=error.hint,
    ) from error


def _removed(run: Run) -> list[Removal]:
    """Undo everything, without a question: the other gateway comes first.

    What the tenant has of us stays where it does not answer, or where a person would have to sign in.
    """
    context = run.context
    if not context.cache.administrator and context.answers.sign_in.method == "device-code":
        return remove_installation(run, offline=True)
    try:
        return remove_installation(run)
    except SetupError:
        return remove_installation(run, offline=True)
