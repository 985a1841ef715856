"""`mstunnel-setup plan`: what would change, as a diff, without changing it."""

from collections.abc import Iterator, Sequence
from difflib import unified_diff

from mstunnel_setup.actions.files import WriteFile
from mstunnel_setup.actions.gateway_configuration import WriteGatewayConfiguration
from mstunnel_setup.base.errors import ExitCode
from mstunnel_setup.base.result import Result, warning
from mstunnel_setup.base.text import Verbatim, text
from mstunnel_setup.install.install import accepted, steps_data
from mstunnel_setup.install.lab_tenant import with_lab
from mstunnel_setup.install.ports import Ports
from mstunnel_setup.install.preflight import judging, refuse_unready, refuse_vendor
from mstunnel_setup.install.request import InstallRequest
from mstunnel_setup.install.rootless import scope_to_install
from mstunnel_setup.install.scope import Scope
from mstunnel_setup.install.service_account import become
from mstunnel_setup.install.session import Run, chosen_steps, open_run, require_answers
from mstunnel_setup.install.step_list import CODEC
from mstunnel_setup.io import accounts
from mstunnel_setup.io.operator import Operator
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.runner import Planned


def plan(operator: Operator, request: InstallRequest, *, exit_code: bool) -> Result:
    """Show the actions that a run would apply; with `exit_code` the code is 20 when there are any."""
    request = with_lab(operator.clock, request)
    scope = scope_to_install(operator, request.settings)
    planned: list[Planned] = []
    lines: list[str] = []
    for each in (scope,) if scope is not Scope.ACCOUNT else (Scope.HOST, Scope.ACCOUNT):
        steps = chosen_steps(request.skip, each)
        later = chosen_steps(request.skip, Scope.ACCOUNT) if each is Scope.HOST else []
        with open_run(
            operator, request.settings, ignored_checks=request.ignored_checks, exclusively=False, scope=each
        ) as run:
            if scope is Scope.HOST and accounts.find(run.context.answers.account) is not None:
                become(operator, run.context.answers.account)
            refuse_vendor(run.context)
            require_answers(run, steps, chosen_steps(request.skip, scope))
            refuse_unready(run.context, [step.name for step in steps], [step.name for step in later])
            found = run.runner.plan(judging(steps), run.context)
            lines += _lines(run, found)
            planned += found
        request = accepted(request)
    data = steps_data(planned)
    data["plan"] = [CODEC.dump(action) for item in planned for action in item.actions]
    data["diff"] = [*lines]
    total = data["actions"]
    lines.append(
        f"{total} changes; apply them with `mstunnel-setup`." if total else "Nothing would be changed."
    )
    code = ExitCode.CHANGES_PENDING if total and exit_code else ExitCode.DONE
    warnings = (
        (
            warning(
                "plan-incomplete",
                "the account's steps cannot be planned before the account exists",
                hint="Run root's part first: `mstunnel-setup host`.",
            ),
        )
        if scope is Scope.HOST
        else ()
    )
    return Result("changed" if total else "unchanged", data, warnings, text=lines, exit_code=code)


def _lines(run: Run, planned: Sequence[Planned]) -> Iterator[str]:
    for item in planned:
        if item.actions:
            yield text("{step}: {title}", step=item.step, title=item.title)
        for action in item.actions:
            yield text("  + {describe}", describe=action.describe())
            if changed := run.runner.changed(action):
                yield text("    ! {changed} since; a run asks first", changed=changed)
            yield from (Verbatim(f"      {line}") for line in _diff(run, action))


def _diff(run: Run, action: Action[Ports]) -> Iterator[str]:
    """The lines that a text file would lose and gain."""
    if isinstance(action, WriteFile | WriteGatewayConfiguration):
        current = (run.files.read(action.path) or b"").decode("utf-8", errors="replace")
        changes = unified_diff(current.splitlines(), action.text.splitlines(), n=0, lineterm="")
        yield from list(changes)[2:]
