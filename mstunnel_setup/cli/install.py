"""`mstunnel-setup`, `mstunnel-setup step NAME`: install, or continue where it stopped."""

import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mstunnel_setup.cli.identity import become
from mstunnel_setup.cli.options import InstallOptions
from mstunnel_setup.cli.removal import forget_program, remove_installation
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.cli.rootless import DONE, half_to_install, have_root_do, host_command, planned_by_root
from mstunnel_setup.cli.run import Run, chosen_steps, open_run, require_answers, step_named
from mstunnel_setup.engine.runner import Planned
from mstunnel_setup.engine.step import Step
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import SetupError
from mstunnel_setup.steps import proxy
from mstunnel_setup.steps.context import Context
from mstunnel_setup.steps.half import Half
from mstunnel_setup.steps.preflight import refuse_unready


def install(session: Session, options: InstallOptions) -> Result:
    """Run all steps but the skipped ones; without root first those of root, then those of the account."""
    half = half_to_install(session, options.settings())
    if half is Half.HOST:
        data, account = run_half(session, options, half)
        become(account, {DONE: json.dumps(data)})
    done = _done_by_root(session, options) if half is Half.ACCOUNT else Result()
    if done.errors:
        return done
    data, _ = run_half(session, options, half)
    return installed(joined(done.data, data))


def one_step(session: Session, options: InstallOptions, name: str) -> Result:
    """Run one step, and before it the steps it needs."""
    half = half_to_install(session, options.settings())
    if half is Half.HOST and name not in [step.name for step in chosen_steps((), half)]:
        become(_account(session, options))
    step = step_named(name, half)
    steps = [*(step_named(needed, half) for needed in step.needs), step]
    data, _ = _run(session, options, steps, half)
    return installed(data, "See what comes next with `mstunnel-setup status`.")


def installed(data: JsonObject, then: str = "Look at the gateway with `mst-cli status`.") -> Result:
    """The result of a run, whose steps are in `data`; `then` is what a person does next."""
    if data["actions"] == 0:
        return Result("unchanged", data, text=["Everything is as it should be; nothing was changed."])
    changes = f"{data['actions']} change{'' if data['actions'] == 1 else 's'}"
    return Result("changed", data, text=[f"Done: {changes}. {then}"])


def joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> JsonObject:
    """The steps of both halves; `first` may be empty."""
    if not first:
        return dict(second)
    return {
        "steps": [*first["steps"], *second["steps"]],
        "actions": first["actions"] + second["actions"],
    }


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


def _done_by_root(session: Session, options: InstallOptions) -> Result:
    """What root did in this installation: just now, or when it is asked to."""
    told = os.environ.pop(DONE, "")
    if told:
        return Result(data=json.loads(told))
    skipped, ignored = options.skip or (), options.ignore_check or ()
    steps = chosen_steps(skipped, Half.HOST)
    planned, proxies = planned_by_root(session, options.settings(), steps, ignored)
    if not any(item.actions for item in planned):
        return Result()
    answers = session.common.answers
    given = [*(("--answers", str(answers)) if answers else ())]
    given += [word for name in skipped for word in ("--skip", name)]
    given += [word for check in ignored for word in ("--ignore-check", check)]
    return have_root_do(session, planned, host_command(*given, variables=proxies))


def run_half(
    session: Session, options: InstallOptions, half: Half, port: int = 443
) -> tuple[JsonObject, str]:
    """Run the steps of a half; returns what was done, and for which account."""
    steps = chosen_steps(options.skip or (), half)
    return _run(session, options, steps, half, port, checked=True)


def _run(
    session: Session,
    options: InstallOptions,
    steps: Sequence[Step[Context, Any]],
    half: Half,
    port: int = 443,
    *,
    checked: bool = False,
) -> tuple[JsonObject, str]:
    with open_run(
        session,
        options.settings(),
        progress_fd=options.progress_fd,
        ignored_checks=options.ignore_check or (),
        half=half,
        port=port,
    ) as run:
        require_answers(run, steps)
        if checked:
            refuse_unready(run.context, [step.name for step in steps])
            if any(step in steps for step in proxy.STEPS):
                run.runner.take_back(proxy.given_up(run.context))
        done = _run_or_roll_back(run, steps, roll_back=options.rollback_on_failure)
        return steps_data(done), run.context.answers.account


def _account(session: Session, options: InstallOptions) -> str:
    with open_run(session, options.settings(), exclusively=False, half=Half.HOST) as run:
        return run.context.answers.account


def _run_or_roll_back(run: Run, steps: Sequence[Step[Context, Any]], *, roll_back: bool) -> list[Planned]:
    try:
        return run.runner.run(steps, run.context)
    except SetupError:
        if roll_back and run.context.receipt.entries:
            remove_installation(run)
            forget_program(run.files)
        raise
