"""`mstunnel-setup plan`: what would change, as a diff, without changing it."""

from collections.abc import Iterator, Sequence
from difflib import unified_diff
from typing import Any

from mstunnel_setup.cli.install import steps_data
from mstunnel_setup.cli.options import InstallOptions
from mstunnel_setup.cli.render import Result, Session
from mstunnel_setup.cli.run import Run, chosen_steps, open_run, require_answers
from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.file_actions import WriteFile
from mstunnel_setup.engine.runner import Planned
from mstunnel_setup.errors import ExitCode
from mstunnel_setup.gateway.actions import WriteGatewayConfiguration
from mstunnel_setup.steps.order import CODEC
from mstunnel_setup.steps.preflight import refuse_unready


def plan(session: Session, options: InstallOptions, *, exit_code: bool) -> Result:
    """Show the actions that a run would apply; with `exit_code` the code is 20 when there are any."""
    steps = chosen_steps(options.skip or ())
    with open_run(
        session,
        options.settings(),
        ignored_checks=options.ignore_check or (),
        exclusively=False,
    ) as run:
        require_answers(run, steps)
        refuse_unready(run.context, [step.name for step in steps])
        planned = run.runner.plan(steps, run.context)
        lines = list(_lines(run, planned))
    data = steps_data(planned)
    data["plan"] = [CODEC.dump(action) for item in planned for action in item.actions]
    pending = data["actions"] != 0
    code = ExitCode.CHANGES_PENDING if pending and exit_code else ExitCode.DONE
    return Result("changed" if pending else "unchanged", data, text=lines, exit_code=code)


def _lines(run: Run, planned: Sequence[Planned]) -> Iterator[str]:
    total = sum(len(item.actions) for item in planned)
    for item in planned:
        if item.actions:
            yield f"{item.step}: {item.title}"
        for action in item.actions:
            yield f"  + {action.describe()}"
            if changed := run.runner.changed(action):
                yield f"    ! {changed} since; a run asks first"
            yield from (f"      {line}" for line in _diff(run, action))
    yield f"{total} changes; apply them with `mstunnel-setup`." if total else "Nothing would be changed."


def _diff(run: Run, action: Action[Any]) -> Iterator[str]:
    """The lines that a text file would lose and gain."""
    if isinstance(action, WriteFile | WriteGatewayConfiguration):
        current = (run.files.read(action.path) or b"").decode("utf-8", errors="replace")
        changes = unified_diff(current.splitlines(), action.text.splitlines(), n=0, lineterm="")
        yield from list(changes)[2:]
