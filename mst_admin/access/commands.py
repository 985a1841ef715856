"""`mst-admin conditional-access`: the work."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from mst_admin.access.controls import SignInCase, evaluate, warnings_of, warnings_of_tenant
from mst_admin.access.objects import PolicyFile
from mst_admin.access.plan import PlannedPolicy, plan_policies
from mst_admin.change import Body
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers.document import DocumentError, parse_as, read
from mstunnel_setup.base.errors import ExitCode, SetupError, TenantError, UsageError, ValuesError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Result
from mstunnel_setup.base.text import joined, text
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import APPLICATION_READ_WRITE, GATEWAY_APP_ID, USER_READ_BASIC
from mstunnel_setup.tenant.wire_access import (
    APPLICATION_READ,
    POLICY_READ,
    POLICY_READ_WRITE,
    ConditionalAccessPolicy,
)


def status(operator: Operator, settings: Settings) -> Result:
    """Whether the tenant has the cloud app."""
    found = _open(operator, settings).service_principal(GATEWAY_APP_ID)
    if found is None:
        lines = [
            text("The tenant does not have the cloud app Microsoft Tunnel Gateway."),
            text("Policies cannot name it. Add it with `mst-admin conditional-access provision`."),
        ]
        return Result(data={"provisioned": False, "app_id": GATEWAY_APP_ID}, text=lines)
    data = {"provisioned": True, "app_id": GATEWAY_APP_ID, "id": found.id, "name": found.display_name}
    line = text("{name} is there (object id {id}).", name=found.display_name, id=found.id)
    return Result(data=data, text=[line])


def provision(operator: Operator, settings: Settings) -> Result:
    """Add the cloud app unless it is there."""
    graph = _open(operator, settings)
    found = graph.service_principal(GATEWAY_APP_ID)
    created = found or graph.create_service_principal(GATEWAY_APP_ID)
    data = {"provisioned": True, "app_id": GATEWAY_APP_ID, "id": created.id, "name": created.display_name}
    name, identifier = created.display_name, created.id
    line = text(
        "{name} was added; policies can name it in a few minutes (object id {id}).", name=name, id=identifier
    )
    if found:
        line = text("{name} is there already (object id {id}).", name=name, id=identifier)
    return Result("unchanged" if found else "changed", data, text=[line])


def _open(operator: Operator, settings: Settings) -> AdminGraph:
    return open_tenant(operator, settings, (APPLICATION_READ_WRITE,))


_READ: Final = (POLICY_READ, APPLICATION_READ)
_WRITE: Final = (POLICY_READ, POLICY_READ_WRITE, APPLICATION_READ)


@dataclass(frozen=True)
class PolicyReview:
    """What a file declares, the tenant's policies, what is planned, and how sign-ins are decided now."""

    file: PolicyFile
    present: Sequence[ConditionalAccessPolicy]
    planned: Sequence[PlannedPolicy]
    cases: Sequence[SignInCase]

    @property
    def due(self) -> list[PlannedPolicy]:
        """The policies that would change."""
        return [item for item in self.planned if item.change is not None]

    def before(self) -> Result:
        """The result of a plan."""
        return self._result(self.due, self.lines(self.due, text("to make"), text("has now")), self.present)

    def after(self, done: Sequence[PlannedPolicy]) -> Result:
        """The result when these changes were made."""
        changed = {item.after.id for item in done}
        policies = [
            *(item.after for item in done),
            *(each for each in self.present if each.id not in changed),
        ]
        return self._result(done, self.lines(done, text("made"), text("had before these changes")), policies)

    def lines(self, done: Sequence[PlannedPolicy], what: str, when: str) -> Iterator[str]:
        """Changes, what becomes or became of them, and the evaluation."""
        changes = [item.change for item in done if item.change is not None]
        for change in changes:
            yield from change.lines()
        yield text(
            "{changes} change{plural} {what}.",
            changes=len(changes),
            plural="" if len(changes) == 1 else "s",
            what=what,
        )
        if self.cases:
            yield from ("", text("Evaluated with the policies that the tenant {when}:", when=when))
        for case in self.cases:
            yield from case.lines()

    def _result(
        self, done: Sequence[PlannedPolicy], lines: Iterable[str], policies: Sequence[ConditionalAccessPolicy]
    ) -> Result:
        data: Body = {
            "changes": [item.change.document() for item in done if item.change is not None],
            "what_if": [case.document() for case in self.cases],
        }
        waiting = (
            warning(
                "policy-waits",
                "{policy} is not enabled yet: it begins in report-only mode",
                hint=(
                    "Evaluate it with --user and in the sign-in log, then run `mst-admin "
                    "conditional-access apply FILE --enable`."
                ),
                policy=item.declared.title,
            )
            for item in self.planned
            if item.waits
        )
        of_tenant = warnings_of_tenant(policies, self.file.break_glass_group)
        return Result("ok", data, (*warnings_of(self.file), *waiting, *of_tenant), text=[*lines])


def plan(
    operator: Operator, settings: Settings, file: Path, users: Sequence[str], *, enable: bool, exit_code: bool
) -> Result:
    """What `apply` would change, and how the tenant decides about these users now."""
    declared = _load(file)
    review = _review(
        open_tenant(operator, settings, (*_READ, *_to_find(users))), declared, users, enable=enable
    )
    code = ExitCode.CHANGES_PENDING if review.due and exit_code else ExitCode.DONE
    return replace(review.before(), exit_code=code)


def apply(
    operator: Operator, settings: Settings, file: Path, users: Sequence[str], *, enable: bool, yes: bool
) -> Result:
    """Make the tenant's policies as declared, after asking. Raises UsageError `policy-in-force`.

    When the tenant refuses a change, those before it stay and are in the result.
    """
    declared = _load(file)
    graph = open_tenant(operator, settings, (*_WRITE, *_to_find(users)))
    review = _review(graph, declared, users, enable=enable)
    if not review.due:
        return replace(review.after([]), status="unchanged")
    enforced = [item.declared.title for item in review.due if item.enforced]
    if enforced and not enable:
        raise UsageError(
            "policy-in-force",
            "this changes what is enforced: {names}",
            hint=("Check the plan and the evaluation (--user), then run the command again with --enable."),
            names=", ".join(enforced),
        )
    if operator.console.interactive and not yes:
        operator.console.say(joined(review.lines(review.due, text("to make"), text("has now")), "\n"))
    make_sure(operator, f"Change {len(review.due)} Conditional Access policies?", yes=yes)
    return _made(graph, review)


def _to_find(users: Sequence[str]) -> tuple[str, ...]:
    """The permission by which users are found by name, where one is not given by its object id."""
    return () if all(map(is_guid, users)) else (USER_READ_BASIC,)


def _made(graph: AdminGraph, review: PolicyReview) -> Result:
    """Send the changes; the first that is refused ends it."""
    done: list[PlannedPolicy] = []
    for item in review.due:
        try:
            _send(graph, item)
        except SetupError as error:
            notice = Problem(
                error.code,
                text("{title}: {problem}", title=item.declared.title, problem=error.message),
                error.hint,
            )
            return replace(review.after(done), status="error", errors=(notice,), exit_code=error.exit_code)
        done.append(item)
    return replace(review.after(done), status="changed")


def _send(graph: AdminGraph, item: PlannedPolicy) -> None:
    if item.change is not None and item.change.identifier:
        graph.update_policy(item.change.identifier, item.sent)
    else:
        graph.create_policy(item.sent)


def _review(graph: AdminGraph, file: PolicyFile, users: Sequence[str], *, enable: bool) -> PolicyReview:
    if graph.service_principal(GATEWAY_APP_ID, APPLICATION_READ) is None:
        raise TenantError(
            "cloud-app-missing",
            "the tenant does not have the cloud app Microsoft Tunnel Gateway, so policies cannot name it",
            hint=(
                "Run `mst-admin conditional-access provision`, wait a few minutes, then run the "
                "command again."
            ),
        )
    present = graph.policies()
    planned = [*plan_policies(file, present, enable=enable)]
    return PolicyReview(file, present, planned, evaluate(graph, users))


def _load(file: Path) -> PolicyFile:
    path = file.absolute()
    try:
        return parse_as(PolicyFile, read(path), str(path), "policies")[1]
    except OSError as error:
        raise UsageError(
            "policy-file-unreadable",
            "the file {path} cannot be read: {reason}",
            hint="Check the path.",
            path=path,
            reason=error.strerror,
        ) from error
    except DocumentError as error:
        raise ValuesError(
            [
                UsageError("policy-file-invalid", "{problem}", hint="Correct the file.", problem=line)
                for line in error.problems
            ]
        ) from error
