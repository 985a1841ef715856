"""`mstunnel-setup`, `mstunnel-setup step NAME`: install, or continue where it stopped."""

from collections.abc import Sequence
from typing import Any

from mstunnel_setup.cli.options import InstallOptions
from mstunnel_setup.cli.removal import remove_installation
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.cli.run import Run, chosen_steps, open_run, require_answers, step_named
from mstunnel_setup.engine.runner import Planned
from mstunnel_setup.engine.step import Step
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.errors import SetupError
from mstunnel_setup.steps import proxy
from mstunnel_setup.steps.context import Context
from mstunnel_setup.steps.preflight import refuse_unready


def install(session: Session, options: InstallOptions) -> Result:
    """Run all steps but the skipped ones."""
    return _run(session, options, chosen_steps(options.skip or ()), checked=True)


def one_step(session: Session, options: InstallOptions, name: str) -> Result:
    """Run one step, and before it the steps it needs."""
    step = step_named(name)
    return _run(session, options, [*map(step_named, step.needs), step])


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


def _run(
    session: Session, options: InstallOptions, steps: Sequence[Step[Context, Any]], *, checked: bool = False
) -> Result:
    with open_run(
        session,
        options.settings(),
        progress_fd=options.progress_fd,
        ignored_checks=options.ignore_check or (),
    ) as run:
        require_answers(run, steps)
        if checked:
            refuse_unready(run.context, [step.name for step in steps])
            if proxy.STEP in steps:
                run.runner.take_back(proxy.given_up(run.context))
        done = _run_or_roll_back(run, steps, roll_back=options.rollback_on_failure)
    data = steps_data(done)
    if data["actions"] == 0:
        return Result("unchanged", data, text=["Everything is as it should be; nothing was changed."])
    changes = f"{data['actions']} change{'' if data['actions'] == 1 else 's'}"
    text = [f"Done: {changes}. Look at the gateway with `mst-cli status`."]
    return Result("changed", data, text=text)


def _run_or_roll_back(run: Run, steps: Sequence[Step[Context, Any]], *, roll_back: bool) -> list[Planned]:
    try:
        return run.runner.run(steps, run.context)
    except SetupError:
        if roll_back and run.context.receipt.entries:
            remove_installation(run)
        raise
