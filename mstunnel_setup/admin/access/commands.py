"""`mst-admin conditional-access plan` and `apply`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mstunnel_setup.admin.access.controls import warnings_of, warnings_of_tenant
from mstunnel_setup.admin.access.objects import PolicyFile
from mstunnel_setup.admin.access.plan import PlannedPolicy, plan_policies
from mstunnel_setup.admin.access.what_if import Case, evaluate
from mstunnel_setup.admin.change import Body
from mstunnel_setup.admin.errors import (
    CLOUD_APP_MISSING,
    POLICY_FILE_INVALID,
    POLICY_FILE_UNREADABLE,
    POLICY_IN_FORCE,
    POLICY_WAITS,
)
from mstunnel_setup.admin.session import make_sure, open_tenant
from mstunnel_setup.answers.document import DocumentError, read
from mstunnel_setup.answers.problems import parse_as
from mstunnel_setup.errors import ExitCode, SetupError, ValuesError
from mstunnel_setup.operator import Operator, Settings
from mstunnel_setup.result import Notice, Result
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID
from mstunnel_setup.tenant.wire_access import APPLICATION_READ, POLICY_READ, POLICY_READ_WRITE

_READ: Final = (POLICY_READ, APPLICATION_READ)
_WRITE: Final = (POLICY_READ, POLICY_READ_WRITE, APPLICATION_READ)


@dataclass(frozen=True)
class Review:
    """What is planned, what the tenant's own policies do to the tunnel, and how sign-ins are decided now."""

    planned: Sequence[PlannedPolicy]
    warnings: tuple[Notice, ...]
    cases: Sequence[Case]

    @property
    def due(self) -> list[PlannedPolicy]:
        """The policies that would change."""
        return [item for item in self.planned if item.change is not None]

    def result(self, done: Sequence[PlannedPolicy], what: str) -> Result:
        """The result with these changes; `what` is what becomes or became of them."""
        changes = [item.change for item in done if item.change is not None]
        data: Body = {
            "changes": [change.document() for change in changes],
            "what_if": [case.document() for case in self.cases],
        }
        return Result("ok", data, self.warnings, text=[*self.lines(done, what)])

    def lines(self, done: Sequence[PlannedPolicy], what: str) -> Iterator[str]:
        """The same for people."""
        changes = [item.change for item in done if item.change is not None]
        for change in changes:
            yield from change.lines()
        yield f"{len(changes)} change{'' if len(changes) == 1 else 's'} {what}."
        if self.cases:
            yield from ("", "Evaluated with the policies that the tenant has now:")
        for case in self.cases:
            yield from case.lines()


def plan(
    operator: Operator, settings: Settings, file: Path, users: Sequence[str], *, enable: bool, exit_code: bool
) -> Result:
    """What `apply` would change, and how the tenant decides about these users now."""
    declared = _load(file)
    review = _review(open_tenant(operator, settings, _READ), declared, users, enable=enable)
    code = ExitCode.CHANGES_PENDING if review.due and exit_code else ExitCode.DONE
    return replace(review.result(review.due, "to make"), exit_code=code)


def apply(
    operator: Operator, settings: Settings, file: Path, users: Sequence[str], *, enable: bool, yes: bool
) -> Result:
    """Make the tenant's policies as declared, after asking. Raises UsageError `policy-in-force`.

    When the tenant refuses a change, those before it stay and are in the result.
    """
    declared = _load(file)
    graph = open_tenant(operator, settings, _WRITE)
    review = _review(graph, declared, users, enable=enable)
    if not review.due:
        return replace(review.result([], "made"), status="unchanged")
    enforced = [item.declared.title for item in review.due if item.enforced]
    if enforced and not enable:
        raise POLICY_IN_FORCE(names=", ".join(enforced))
    if operator.console.interactive and not yes:
        operator.console.say("\n".join(review.lines(review.due, "to make")))
    make_sure(operator, f"Change {len(review.due)} Conditional Access policies?", yes=yes)
    return _made(graph, review)


def _made(graph: AdminGraph, review: Review) -> Result:
    done: list[PlannedPolicy] = []
    for item in review.due:
        try:
            _send(graph, item)
        except SetupError as error:
            notice = Notice(error.code, f"{item.declared.title}: {error.message}", error.hint)
            made = review.result(done, "made")
            return replace(made, status="error", errors=(notice,), exit_code=error.exit_code)
        done.append(item)
    return replace(review.result(done, "made"), status="changed")


def _send(graph: AdminGraph, item: PlannedPolicy) -> None:
    if item.change is not None and item.change.identifier:
        graph.update_policy(item.change.identifier, item.body)
    else:
        graph.create_policy(item.body)


def _review(graph: AdminGraph, file: PolicyFile, users: Sequence[str], *, enable: bool) -> Review:
    if graph.service_principal(GATEWAY_APP_ID, APPLICATION_READ) is None:
        raise CLOUD_APP_MISSING()
    present = graph.policies()
    planned = [*plan_policies(file, present, enable=enable)]
    waiting = (POLICY_WAITS(policy=item.declared.title) for item in planned if item.waits)
    told = (*warnings_of(file), *waiting, *warnings_of_tenant(present, file.break_glass_group))
    return Review(planned, told, evaluate(graph, users))


def _load(file: Path) -> PolicyFile:
    path = file.absolute()
    try:
        return parse_as(PolicyFile, read(path), str(path), "policies")[1]
    except OSError as error:
        raise POLICY_FILE_UNREADABLE(path=path, reason=error.strerror) from error
    except DocumentError as error:
        raise ValuesError([POLICY_FILE_INVALID(problem=line) for line in error.problems]) from error
