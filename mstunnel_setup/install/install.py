"""`mstunnel-setup`, `mstunnel-setup step NAME` and `host`: install, or continue where it stopped."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import NOT_ROOT, SetupError, UsageError
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject, as_object
from mstunnel_setup.install.account_files import refuse_unreadable
from mstunnel_setup.install.installed import complete
from mstunnel_setup.install.lab_tenant import with_lab
from mstunnel_setup.install.preflight import judging, refuse_account, refuse_unready, refuse_vendor
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.rootless import (
    DONE,
    answers_of_account,
    command_by_hand,
    have_root_do,
    host_command,
    planned_by_root,
    scope_to_install,
    without_passwords,
)
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.service_account import become
from mstunnel_setup.install.session import Run, chosen_steps, open_run, require_answers, step_named
from mstunnel_setup.install.steps import configure, kernel, launch, proxy
from mstunnel_setup.install.summary import summary
from mstunnel_setup.install.uninstall import forget_program, remove_host_setup, remove_installation
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.transaction.runner import Planned
from mstunnel_setup.transaction.step import AnyStep

# Where a step writes, and the step that makes that directory.
_MADE_BY = {
    "environment": (paths.CONFIGURATION, "eula"),
    "certificate": (paths.CERTIFICATES, "environment"),
    "images": (paths.CONFIGURATION, "eula"),
}


@dataclass(frozen=True)
class Outcome:
    """What a run did (JSON data), for which account, and the lines about the gateway that is here now."""

    data: JsonObject
    account: str
    summary: Sequence[str]


def install(operator: Operator, request: InstallRequest) -> Result:
    """Run all steps but the skipped ones; without root first those of root, then those of the account."""
    request = with_lab(operator.clock, request)
    scope = scope_to_install(operator, request.settings)
    if scope is Scope.ALL:
        outcome = run_scope(operator, request, scope)
        return installed(outcome.data, *outcome.summary)
    later = chosen_steps(request.skip, Scope.ACCOUNT)
    if scope is Scope.HOST:
        outcome = run_scope(operator, request, scope, later=later)
        become(operator, outcome.account, {DONE: json.dumps(outcome.data)})
    done = _done_by_root(operator, request, later)
    if done.errors:
        return done
    outcome = run_scope(operator, accepted(request), scope)
    return installed(joined(done.data, outcome.data), *outcome.summary)


def one_step(operator: Operator, request: InstallRequest, name: str) -> Result:
    """Run one step, and before it the steps it needs."""
    request = with_lab(operator.clock, request)
    scope = scope_to_install(operator, request.settings)
    if scope is Scope.HOST and name not in [step.name for step in chosen_steps((), scope)]:
        become(operator, _account(operator, request))
    step = step_named(name, scope)
    steps = [*(step_named(needed, scope) for needed in step.needs), step]
    outcome = _run(operator, request, steps, scope)
    return installed(outcome.data, text("Done. See the next step with `mstunnel-setup status`."))


def installed(data: JsonObject, *then: str) -> Result:
    """The result of a run, whose steps are in `data`; `then` are lines for people."""
    if data["actions"] == 0:
        return Result("unchanged", data, text=[text("Nothing was changed."), *then])
    return Result("changed", data, text=then)


def joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> JsonObject:
    """The steps of both parts; `first` may be empty."""
    if not first:
        return dict(second)
    return {"steps": [*first["steps"], *second["steps"]], "actions": first["actions"] + second["actions"]}


def steps_data(planned: Sequence[Planned]) -> JsonObject:
    """Steps and the descriptions of their actions as JSON data."""
    return {
        "steps": [
            {
                "name": item.step,
                "title": item.title,
                "actions": [action.describe() for action in item.actions],
            }
            for item in planned
        ],
        "actions": sum(len(item.actions) for item in planned),
    }


def accepted(request: InstallRequest) -> InstallRequest:
    """The request to the account: before root's part begins, the terms are accepted."""
    return replace(request, settings={**request.settings, "eula": "accept"})


def _done_by_root(operator: Operator, request: InstallRequest, later: Sequence[AnyStep]) -> Result:
    """What root did in this installation: just now, or when it is asked to; `later` are the account's."""
    told = os.environ.pop(DONE, "")
    if told:
        return Result(data=json.loads(told))
    skipped, ignored = request.skip, request.ignored_checks
    steps = chosen_steps(skipped, Scope.HOST)
    planned, answers = planned_by_root(operator, request.settings, steps, later, ignored)
    if not any(item.actions for item in planned):
        return Result()
    given = ["--accept-eula", *(word for name in skipped for word in ("--skip", name))]
    given += [word for check in ignored for word in ("--ignore-check", check)]
    by_hand = command_by_hand(*given, *_as_options(operator, request))
    if proxies := without_passwords(as_object(answers["environment"])):
        by_hand = ("env", *proxies, *by_hand)
    return have_root_do(operator, planned, host_command(*given), answers, by_hand)


def _as_options(operator: Operator, request: InstallRequest) -> list[str]:
    """Where the answers come from, for an administrator who types the command."""
    file = ["--answers", str(operator.answers)] if operator.answers else []
    return [*file, *(("--lab", request.lab) if request.lab else ())]


def run_scope(
    operator: Operator,
    request: InstallRequest,
    scope: Scope,
    port: int | None = None,
    later: Sequence[AnyStep] = (),
) -> Outcome:
    """Run the steps of a part; `later` are those of the other part, which this command runs next."""
    steps = chosen_steps(request.skip, scope)
    return _run(operator, request, steps, scope, port, later=later, checked=True)


def _run(
    operator: Operator,
    request: InstallRequest,
    steps: Sequence[AnyStep],
    scope: Scope,
    port: int | None = None,
    *,
    later: Sequence[AnyStep] = (),
    checked: bool = False,
) -> Outcome:
    with open_run(
        operator,
        request.settings,
        progress_fd=request.progress_fd,
        ignored_checks=request.ignored_checks,
        scope=scope,
        port=port,
    ) as run:
        refuse_vendor(run.context)
        require_answers(run, steps, later)
        if later:
            refuse_unreadable(run.context, operator.answers)
        _refuse_too_early(run, [step.name for step in steps])
        if checked:
            refuse_unready(run.context, [step.name for step in steps], [step.name for step in later])
            refuse_account(run.context, [step.name for step in steps])
            steps = judging(steps)
            if any(step in steps for step in proxy.STEPS):
                run.runner.take_back(proxy.given_up(run.context))
        done = _run_or_roll_back(operator, run, steps, roll_back=request.rollback_on_failure)
        if configure.STEP in steps:
            run.runner.take_back(configure.given_up(run.context))
        if kernel.STEP in steps:
            run.runner.take_back(kernel.given_up(run.context))
        if launch.STEP in steps:
            run.runner.take_back(launch.given_up(run.context))
        return Outcome(steps_data(done), run.context.answers.account, summary(run.context))


def _refuse_too_early(run: Run, names: Sequence[str]) -> None:
    """Raise UsageError for a step that writes into a directory of a step that did not run and will not."""
    for name in names:
        directory, maker = _MADE_BY.get(name, ("", name))
        if maker not in names and run.files.state(directory) is None:
            raise UsageError(
                "step-too-early",
                "the step {name} writes into {directory}, which does not exist yet",
                hint="Run `mstunnel-setup step {maker}` first, or all steps with `mstunnel-setup`.",
                name=name,
                directory=directory,
                maker=maker,
            )


def _account(operator: Operator, request: InstallRequest) -> str:
    with open_run(operator, request.settings, exclusively=False, scope=Scope.HOST) as run:
        return run.context.answers.account


def _run_or_roll_back(
    operator: Operator, run: Run, steps: Sequence[AnyStep], *, roll_back: bool
) -> list[Planned]:
    """Run the steps; `roll_back` undoes an installation that fails, but none that was finished before."""
    earlier = run.context.receipt
    # A skipped step may be the last one.
    finished = complete(earlier, run.scope) or all(step.name in earlier.steps for step in steps)
    try:
        return run.runner.run(steps, run.context)
    except SetupError:
        if roll_back and not finished and run.context.receipt.entries:
            remove_installation(run)
            forget_program(operator)
        raise


def host(
    operator: Operator, request: InstallRequest, port: int | None, *, remove: bool, given: bytes | None = None
) -> Result:
    """Do the host part for a gateway on `port`, or undo it. Raises CheckError without root.

    `given` are the answers of the account that has it done. Options count more: a rule for sudo fixes them.
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
    outcome = run_scope(operator, request, Scope.HOST, port)
    return installed(
        outcome.data, "The host part is done. Continue as the account: `mstunnel-setup --rootless`."
    )
