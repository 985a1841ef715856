"""`mstunnel-setup`, `mstunnel-setup plan`, `mstunnel-setup step NAME` and `mstunnel-setup host`.

The path of an installation: `install` chooses the part that this user does (`rootless`), `run_steps` opens a
run (`session`: answers, host, journal), makes the checks before the first change (`preflight`) and has the
runner (`transaction.runner`) gather, decide and apply each step of `step_list`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import unified_diff

from pydantic import ConfigDict, Field

from mstunnel_setup.actions.codec import CODEC
from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.gateway_configuration import WriteGatewayConfiguration
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, ExitCode, SetupError
from mstunnel_setup.base.problem import warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.scope import Scope
from mstunnel_setup.base.text import Verbatim, text
from mstunnel_setup.install import renewal_hook
from mstunnel_setup.install.installed import become, complete, is_this_program_placed
from mstunnel_setup.install.lab_tenant import with_lab
from mstunnel_setup.install.preflight import refuse, refuse_other
from mstunnel_setup.install.report import RemovalReport, RunReport
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.rootless import (
    DONE,
    answers_of_account,
    done_by_root,
    refuse_unreadable,
    scope_to_install,
)
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.session import apply_actions, chosen_steps, open_run, step_named
from mstunnel_setup.install.step_status import summary
from mstunnel_setup.install.steps import proxy
from mstunnel_setup.install.uninstall import forget_program, remove_host_setup, remove_installation
from mstunnel_setup.io import accounts
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.runner import Planned
from mstunnel_setup.transaction.step import AnyStep


@dataclass(frozen=True)
class RunOutcome:
    """The changes of a run, its account, and the summary lines about the installed gateway."""

    report: RunReport
    account: str
    summary: Sequence[str]


class PlannedAction(Report):
    """An action as the journal would keep it."""

    model_config = ConfigDict(extra="allow")

    kind: str = Field(
        description="Kind of action; the other fields depend on it and are those of the journal."
    )


class PlanReport(RunReport):
    """The planned changes."""

    plan: tuple[PlannedAction, ...] = Field(description="The very actions, as the journal would keep them.")
    diff: tuple[str, ...] = Field(
        description="The actions in lines for people, with what each text file would lose and gain."
    )


def install(operator: Operator, request: InstallRequest) -> Result[RunReport]:
    """Run all steps except the skipped ones; a rootless installation runs root's steps first."""
    request = with_lab(operator.clock, request)
    scope = scope_to_install(operator, request.settings)
    steps = chosen_steps(request.skip, scope)
    if scope is Scope.ALL:
        outcome = run_steps(operator, request, scope, steps)
        return installed(outcome.report, *outcome.summary)
    later = chosen_steps(request.skip, Scope.ACCOUNT)
    if scope is Scope.HOST:
        outcome = run_steps(operator, request, scope, steps, later=later)
        become(operator, outcome.account, {DONE: outcome.report.model_dump_json()})
    done = done_by_root(operator, request, later)
    if done.errors:
        return done
    outcome = run_steps(operator, _with_terms(request), scope, steps)
    of_root, own = done.report or RunReport.of(()), outcome.report
    both = RunReport(steps=of_root.steps + own.steps, actions=of_root.actions + own.actions)
    return installed(both, *outcome.summary)


def one_step(operator: Operator, request: InstallRequest, name: str) -> Result[RunReport]:
    """Run one step, and before it the steps it needs."""
    request = with_lab(operator.clock, request)
    scope = scope_to_install(operator, request.settings)
    if scope is Scope.HOST and name not in [step.name for step in chosen_steps((), scope)]:
        with open_run(operator, request, exclusively=False, scope=Scope.HOST) as run:
            account = run.answers.account
        become(operator, account)
    step = step_named(name, scope)
    steps = [*(step_named(needed, scope) for needed in step.needs), step]
    outcome = run_steps(operator, request, scope, steps, examined=False)
    return installed(outcome.report, text("Done. See the next step with `mstunnel-setup status`."))


def host(
    operator: Operator, request: InstallRequest, *, remove: bool, given: bytes | None = None
) -> Result[RunReport | RemovalReport]:
    """Do or undo the host part. Raises CheckError without root.

    `given` holds the answers of the account that called sudo. Options take precedence over them: the rule
    for sudo fixes the options.
    """
    if paths.ROOTLESS:
        raise NOT_ROOT(what=text("this command"))
    request = with_lab(operator.clock, request)
    answers = {} if given is None else answers_of_account(given)
    request = replace(request, settings={**answers, **request.settings, "mode": "rootless"})
    scope_to_install(operator, request.settings)
    if remove:
        result = remove_host_setup(operator)
        return replace(result, warnings=(*result.warnings, *forget_program(operator)))
    steps = chosen_steps(request.skip, Scope.HOST)
    if given is not None:
        # env_keep in sudoers can pass the account's proxies to root; this step would set them for all users.
        steps = [step for step in steps if step is not proxy.SYSTEM]
    outcome = run_steps(operator, request, Scope.HOST, steps)
    return installed(
        outcome.report, text("The host part is done. Continue as the account: `mstunnel-setup --rootless`.")
    )


def run_steps(
    operator: Operator,
    request: InstallRequest,
    scope: Scope,
    steps: Sequence[AnyStep],
    *,
    later: Sequence[AnyStep] = (),
    examined: bool = True,
) -> RunOutcome:
    """Run the steps of one part; `later` are those of the other part, which this command runs next.

    Every step can refuse before the first change. With `examined` the host is checked, too.
    """
    with open_run(operator, request, scope=scope) as run:
        refuse_other(run)
        if later:
            refuse_unreadable(run, operator.answers)
        refuse(run, steps, later, examined=examined)
        done = _run_or_roll_back(operator, run, steps)
        hooks = [*_offered_hooks(run)] if examined and any(item.actions for item in done) else []
        return RunOutcome(RunReport.of(done), run.answers.account, [*summary(run), *hooks])


def _offered_hooks(run: Run) -> Iterator[str]:
    """Offer a person to write the renewal hook; yield a line for each client that renews the certificate."""
    for certificate, actions in renewal_hook.offered(run):
        client, path = certificate.client, renewal_hook.HOOKS[certificate.client]
        question = text(
            "{client} renews this certificate. Import each renewal into the gateway (writes {path})",
            client=client,
            path=path,
        )
        if run.console.interactive and run.console.confirm(question):
            apply_actions(run, text("Renewal hook"), actions)
            yield text("{client} imports each renewal into the gateway.", client=client)
        else:
            yield text(
                "{client} renews this certificate. Import its renewals, too: `mst-cli cert hook {client}`.",
                client=client,
            )


def _run_or_roll_back(operator: Operator, run: Run, steps: Sequence[AnyStep]) -> list[Planned]:
    """Run the steps. If requested, roll back a failed installation unless an earlier run had finished it."""
    earlier = run.receipt
    # A part whose last step was skipped never counts as complete, so its recorded steps count here as well.
    finished = complete(earlier, run.scope) or all(step.name in earlier.steps for step in steps)
    try:
        return run.runner.run(steps, run)
    except SetupError:
        if run.request.rollback_on_failure and not finished and run.receipt.entries:
            remove_installation(run)
            forget_program(operator)
        raise


def plan(operator: Operator, request: InstallRequest, *, exit_code: bool) -> Result[PlanReport]:
    """Return the actions that a run would apply; with `exit_code` the exit code is 20 if there are any."""
    request = with_lab(operator.clock, request)
    scope = scope_to_install(operator, request.settings)
    planned: list[Planned] = []
    lines: list[str] = []
    for each in (scope,) if scope is not Scope.ACCOUNT else (Scope.HOST, Scope.ACCOUNT):
        steps = chosen_steps(request.skip, each)
        later = chosen_steps(request.skip, Scope.ACCOUNT) if each is Scope.HOST else []
        with open_run(operator, request, exclusively=False, scope=each) as run:
            name = run.answers.account
            if (
                scope is Scope.HOST
                and accounts.find(name) is not None
                and is_this_program_placed(operator.files)
            ):
                become(operator, name)
            refuse_other(run)
            refuse(run, steps, later)
            of_part = run.runner.plan(steps, run)
            planned += of_part
            for item in of_part:
                if item.actions:
                    lines.append(text("{step}: {title}", step=item.step, title=item.title))
                for action in item.actions:
                    lines += _action_lines(run, action)
        request = _with_terms(request)
    found = RunReport.of(planned)
    report = PlanReport(
        steps=found.steps,
        actions=found.actions,
        plan=tuple(
            PlannedAction.model_validate(CODEC.dump(action)) for item in planned for action in item.actions
        ),
        diff=tuple(lines),
    )
    incomplete = warning(
        "plan-incomplete",
        "the account's steps cannot be planned before root's part is done",
        hint="Run root's part first: `mstunnel-setup host`.",
    )
    warnings = (incomplete,) if scope is Scope.HOST else ()
    if not report.actions:
        return Result("unchanged", report, warnings, text=[*lines, text("Nothing would be changed.")])
    lines.append(text("{total} changes; apply them with `mstunnel-setup`.", total=report.actions))
    code = ExitCode.CHANGES_PENDING if exit_code else ExitCode.DONE
    return Result("changed", report, warnings, text=lines, exit_code=code)


def _action_lines(run: Run, action: Action) -> Iterator[str]:
    """Return the lines of an action, including the diff of a text file."""
    yield text("  + {describe}", describe=action.describe())
    if changed := run.runner.changed(action):
        yield text(
            "    ! {changed}; a run asks before it replaces this (unattended, it stops)", changed=changed
        )
    if isinstance(action, WriteFile | WriteGatewayConfiguration):
        current = (run.files.read(action.path) or b"").decode("utf-8", errors="replace")
        changes = unified_diff(current.splitlines(), action.text.splitlines(), n=0, lineterm="")
        yield from (Verbatim(f"      {line}") for line in [*changes][2:])


def _with_terms(request: InstallRequest) -> InstallRequest:
    """Return the account's request with the licence terms accepted, as they were before root's part."""
    return request.answering(eula="accept")


def installed(report: RunReport, *then: str) -> Result[RunReport]:
    """Return the result of a run; `then` holds further lines for people."""
    if not report.actions:
        return Result("unchanged", report, text=[text("Nothing was changed."), *then])
    return Result("changed", report, text=then)
