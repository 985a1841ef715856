"""`mst-admin conditional-access`: the cloud app, policies planned, evaluated and applied.

What in the tenant's policies keeps devices from the tunnel, or the administrator from the tenant:
docs/reference/mst-admin.md (Conditional Access), from the vendor's documentation where it says so. Which
policies decide about a user's sign-in is Entra's evaluation ("What If") of what the tenant has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Final, Literal, TypeAlias, get_args

from pydantic import Field

from mst_admin.access_policies import (
    STATES,
    Pattern,
    PlannedPolicy,
    PolicyChange,
    PolicyFile,
    plan_policies,
)
from mst_admin.results import change_count
from mst_admin.session import make_sure, open_tenant
from mstunnel_setup.answers.document import DocumentError, parse_as, read
from mstunnel_setup.base.errors import ExitCode, SetupError, TenantError, UsageError, ValuesError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import joined, plain, text
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import POLICIES, AdminGraph
from mstunnel_setup.tenant.wire import (
    APPLICATION_READ,
    APPLICATION_READ_WRITE,
    GATEWAY_APP_ID,
    POLICY_READ,
    POLICY_READ_WRITE,
    USER_READ_BASIC,
    ServicePrincipal,
)
from mstunnel_setup.tenant.wire_access import DISABLED, ENABLED, ConditionalAccessPolicy, WhatIfResult

_EFFECTS: Final[Mapping[str, str]] = {
    "approvedApplication": text("Microsoft Defender is not an approved client app"),
    "compliantApplication": text(
        "Microsoft Defender is not in the list of apps for it, and requests the token on Android"
    ),
    "domainJoinedDevice": text("it is for Windows, so it blocks phones"),
    "mfa": text("an always-on tunnel cannot prompt, nor can the iOS apps of unenrolled devices"),
    "passwordChange": text("an always-on tunnel cannot prompt"),
    "authenticationStrength": text("an always-on tunnel cannot prompt"),
    "termsOfUse": text("an always-on tunnel cannot prompt"),
    "signInFrequency": text("devices prompt every time it expires"),
}
_STATE_WORDS: Final = {wire: word for word, wire in STATES.items()}


Platform: TypeAlias = Literal["android", "iOS"]
_PLATFORMS: Final[tuple[Platform, ...]] = get_args(Platform)


class CloudAppStatus(Report):
    """Whether the cloud app is there."""

    provisioned: bool
    app_id: str = Field(description="Application (client) id.")
    id: str = Field(default="", description="Object id of the service principal.")
    name: str = ""


class CloudApp(CloudAppStatus):
    """The cloud app."""

    id: str = Field(description="Object id of the service principal.")
    name: str = Field(description="Its name.")


def status(operator: Operator, settings: Settings) -> Result[CloudAppStatus]:
    """Whether the tenant has the cloud app."""
    found = open_tenant(operator, settings, (APPLICATION_READ_WRITE,)).service_principal(GATEWAY_APP_ID)
    if found is None:
        lines = [
            text("The tenant does not have the cloud app Microsoft Tunnel Gateway."),
            text("Policies cannot name it. Add it with `mst-admin conditional-access provision`."),
        ]
        return Result(report=CloudAppStatus(provisioned=False, app_id=GATEWAY_APP_ID), text=lines)
    app = _cloud_app(found)
    return Result(report=app, text=[text("{name} exists (object id {id}).", name=app.name, id=app.id)])


def provision(operator: Operator, settings: Settings) -> Result[CloudApp]:
    """Add the cloud app unless it is there."""
    graph = open_tenant(operator, settings, (APPLICATION_READ_WRITE,))
    found = graph.service_principal(GATEWAY_APP_ID)
    app = _cloud_app(found or graph.create_service_principal(GATEWAY_APP_ID))
    line = text(
        "{name} was added; policies can name it in a few minutes (object id {id}).", name=app.name, id=app.id
    )
    if found:
        line = text("{name} already exists (object id {id}).", name=app.name, id=app.id)
    return Result("unchanged" if found else "changed", app, text=[line])


def _cloud_app(found: ServicePrincipal) -> CloudApp:
    return CloudApp(provisioned=True, app_id=GATEWAY_APP_ID, id=found.id, name=found.display_name)


class SignInPolicy(Report):
    """A policy of the tenant."""

    id: str
    name: str
    state: str = Field(description="report-only, enabled, or as Graph has it.")
    controls: tuple[str, ...] = Field(description="What it requires, by the names in Graph.")


class SignInCase(Report):
    """One sign-in, and how the tenant decides about it."""

    user: str = Field(description="As it was given: object id or user name.")
    platform: Platform
    compliant: bool
    applying: tuple[SignInPolicy, ...] = Field(description="Policies that would apply.")
    undecided: tuple[SignInPolicy, ...] = Field(
        description="Policies with conditions that were not evaluated."
    )

    def lines(self) -> Iterator[str]:
        """The case for people."""
        compliance = "compliant" if self.compliant else text("not compliant")
        yield text(
            "{user}, {platform}, {compliance}:", user=self.user, platform=self.platform, compliance=compliance
        )
        for item in self.applying:
            controls = ", ".join(item.controls) or text("no control that is known")
            yield text(
                "    {controls}: {display_name} ({state})",
                controls=controls,
                display_name=plain(item.name),
                state=item.state,
            )
        for item in self.undecided:
            yield text(
                "    unknown: {display_name} has conditions that were not evaluated",
                display_name=plain(item.name),
            )
        if not self.applying and not self.undecided:
            yield text("    no policy applies")


class PolicyChanges(Report):
    """The changes of policies, to make or made, and how sign-ins are decided."""

    changes: tuple[PolicyChange, ...]
    what_if: tuple[SignInCase, ...] = Field(
        description="Sign-ins, evaluated with the policies that the tenant had."
    )


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
        return [item for item in self.planned if item.sent]

    def lines(self, done: Sequence[PlannedPolicy] | None = None) -> Iterator[str]:
        """What would change, or became of it when these changes are done; and the evaluation."""
        made, what, when = self.due, text("to make"), text("has now")
        if done is not None:
            made, what, when = [*done], text("made"), text("had before these changes")
        for item in made:
            yield from item.change.lines()
        yield change_count(made, what)
        if self.cases:
            yield from ("", text("Evaluated with the policies that the tenant {when}:", when=when))
        for case in self.cases:
            yield from case.lines()

    def result(self, done: Sequence[PlannedPolicy] | None = None) -> Result[PolicyChanges]:
        """The result of a plan, or of `apply` when these changes are done."""
        changed = {item.after.id for item in done or ()}
        policies = [item.after for item in done or ()]
        policies += [each for each in self.present if each.id not in changed]
        made = self.due if done is None else done
        changes = PolicyChanges(changes=tuple(item.change for item in made), what_if=tuple(self.cases))
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
            if item.declared.state == "enabled" and item.after.state != ENABLED
        )
        of_tenant = _warnings_of_tenant(policies, self.file.break_glass_group)
        warnings = (*_warnings_of(self.file), *waiting, *of_tenant)
        return Result("ok", changes, warnings, text=[*self.lines(done)])


def plan(
    operator: Operator, settings: Settings, file: Path, users: Sequence[str], *, enable: bool, exit_code: bool
) -> Result[PolicyChanges]:
    """What `apply` would change, and how the tenant decides about these users now."""
    _graph, review = _review(operator, settings, file, users, (POLICY_READ,), enable=enable)
    code = ExitCode.CHANGES_PENDING if review.due and exit_code else ExitCode.DONE
    return replace(review.result(), exit_code=code)


def apply(
    operator: Operator, settings: Settings, file: Path, users: Sequence[str], *, enable: bool, yes: bool
) -> Result[PolicyChanges]:
    """Make the tenant's policies as declared, after asking. Raises UsageError `policy-in-force`.

    When the tenant refuses a change, those before it stay and are in the result.
    """
    permissions = (POLICY_READ, POLICY_READ_WRITE)
    graph, review = _review(operator, settings, file, users, permissions, enable=enable)
    if not review.due:
        return replace(review.result([]), status="unchanged")
    enforced = [item.declared.title for item in review.due if item.after.state == ENABLED]
    if enforced and not enable:
        raise UsageError(
            "policy-in-force",
            "this changes what is enforced: {names}",
            hint=("Check the plan and the evaluation (--user), then run the command again with --enable."),
            names=", ".join(enforced),
        )
    if operator.console.interactive and not yes:
        operator.console.say(joined(review.lines(), "\n"))
    make_sure(operator, f"Change {len(review.due)} Conditional Access policies?", yes=yes)
    done: list[PlannedPolicy] = []
    for item in review.due:
        try:
            if item.change.identifier:
                graph.update(POLICIES, item.change.identifier, item.sent)
            else:
                graph.create(POLICIES, item.sent)
        except SetupError as error:
            message = text("{title}: {problem}", title=item.declared.title, problem=error.message)
            notice = Problem(error.code, message, error.hint)
            return replace(review.result(done), status="error", errors=(notice,), exit_code=error.exit_code)
        done.append(item)
    return replace(review.result(done), status="changed")


def _review(
    operator: Operator,
    settings: Settings,
    file: Path,
    users: Sequence[str],
    permissions: tuple[str, ...],
    *,
    enable: bool,
) -> tuple[AdminGraph, PolicyReview]:
    """The tenant, and the policies of a file compared with it."""
    path = file.absolute()
    try:
        declared = parse_as(PolicyFile, read(path), str(path), "policies")[1]
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
    # Users are found by name, unless all are given by their object ids.
    by_name = () if all(map(is_guid, users)) else (USER_READ_BASIC,)
    graph = open_tenant(operator, settings, (*permissions, APPLICATION_READ, *by_name))
    if graph.service_principal(GATEWAY_APP_ID, APPLICATION_READ) is None:
        raise TenantError(
            "cloud-app-missing",
            "the tenant does not have the cloud app Microsoft Tunnel Gateway, so policies cannot name it",
            hint=(
                "Run `mst-admin conditional-access provision`, wait a few minutes, then run the "
                "command again."
            ),
        )
    present = graph.objects(POLICIES)
    planned = [*plan_policies(declared, present, enable=enable)]
    return graph, PolicyReview(declared, present, planned, _evaluate(graph, users))


def _evaluate(graph: AdminGraph, users: Sequence[str]) -> list[SignInCase]:
    """Four sign-ins of each user (object id or UPN): Android and iOS, compliant and not.

    Raises TenantError, also `user-unknown`, and SignInError.
    """
    ids: dict[str, str] = {}
    for user in users:
        found = None if is_guid(user) else graph.user(user)
        if found is None and not is_guid(user):
            raise TenantError(
                "user-unknown",
                "there is no user {name} in the tenant",
                hint="Check the user name (user principal name), or give the object id.",
                name=user,
            )
        ids[user] = found.id if found else user
    cases = []
    for user, platform, compliant in product(users, _PLATFORMS, (True, False)):
        conditions = {
            "devicePlatform": platform,
            "clientAppType": "mobileAppsAndDesktopClients",
            "signInRiskLevel": "none",
            "userRiskLevel": "none",
            "authenticationFlow": {"transferMethod": "none"},
            "deviceInfo": {"isCompliant": compliant},
        }
        results = graph.what_if(ids[user], conditions)
        case = SignInCase(
            user=user,
            platform=platform,
            compliant=compliant,
            applying=tuple(_sign_in_policy(item) for item in results if item.policy_applies),
            undecided=tuple(
                _sign_in_policy(item) for item in results if item.analysis_reasons == "notEnoughInformation"
            ),
        )
        cases.append(case)
    return cases


def _sign_in_policy(found: WhatIfResult) -> SignInPolicy:
    return SignInPolicy(
        id=found.id,
        name=found.display_name,
        state=_STATE_WORDS.get(found.state, found.state),
        controls=tuple(_controls_of(found)),
    )


def _warnings_of(file: PolicyFile) -> Iterator[Problem]:
    """What the declared policies do beside what they are meant for."""
    for policy in file.policies:
        if policy.pattern is Pattern.APP_PROTECTION:
            yield warning(
                "app-protection-untested",
                (
                    "{policy} requires an app protection policy, for which Microsoft Defender is not "
                    "listed: on Android, Defender requests the token"
                ),
                hint="Test it in report-only mode on every platform before you enable it.",
                policy=policy.title,
            )
        if policy.pattern is Pattern.COMPLIANT_DEVICES:
            yield warning(
                "compliance-excludes-mam",
                "{policy} requires a compliant device, which an unenrolled device (MAM) can never be",
                hint="Exclude the groups that use the tunnel without enrollment.",
                policy=policy.title,
            )


def _warnings_of_tenant(
    policies: Sequence[ConditionalAccessPolicy], break_glass_group: str
) -> Iterator[Problem]:
    """What is to be said of the policies that apply to the tunnel now."""
    active = [item for item in policies if item.state != DISABLED]
    for policy in active:
        state = _STATE_WORDS.get(policy.state, policy.state)
        flows = policy.conditions.authentication_flows
        methods = (flows.transfer_methods or "").split(",") if flows else []
        if "deviceCodeFlow" in methods and "block" in _controls_of(policy):
            yield warning(
                "device-code-forbidden",
                "the policy {policy} ({state}) blocks sign-in by device code, which installation uses",
                hint=(
                    "Exclude the account that installs, or set sign_in.method to client-certificate or "
                    "token-file."
                ),
                policy=policy.display_name,
                state=state,
            )
            continue
        if not _concerns_tunnel(policy):
            continue
        for control in _controls_of(policy):
            if control in _EFFECTS:
                yield warning(
                    "control-breaks-tunnel",
                    "the policy {policy} ({state}) applies to the tunnel and uses {control}: {effect}",
                    hint="Exclude Microsoft Tunnel Gateway from it, or test it on every platform.",
                    policy=policy.display_name,
                    state=state,
                    control=control,
                    effect=_EFFECTS[control],
                )
        if break_glass_group not in map(str.lower, policy.conditions.users.exclude_groups):
            yield warning(
                "break-glass-not-excluded",
                "the policy {policy} applies to the tunnel and does not exclude the break-glass group",
                hint="Exclude the group from it in the Entra admin center.",
                policy=policy.display_name,
            )
    if not any(item.state == ENABLED and _concerns_tunnel(item) for item in active):
        yield warning(
            "no-enforced-policy",
            "no policy in force applies to the tunnel: every licensed user can connect from any device",
            hint=(
                "Evaluate a policy in report-only mode, then run `mst-admin conditional-access apply "
                "FILE --enable`."
            ),
        )


def _concerns_tunnel(policy: ConditionalAccessPolicy) -> bool:
    """Whether the resources of a policy include the tunnel, alone or with all others."""
    applications = policy.conditions.applications
    included = {GATEWAY_APP_ID, "All"}.intersection(applications.include_applications)
    return bool(included) and GATEWAY_APP_ID not in applications.exclude_applications


def _controls_of(policy: ConditionalAccessPolicy) -> list[str]:
    """What a policy requires, by the names in Graph."""
    grant, session = policy.grant_controls, policy.session_controls
    found = [*grant.built_in_controls] if grant else []
    found += ["termsOfUse"] if grant and grant.terms_of_use else []
    found += ["authenticationStrength"] if grant and grant.authentication_strength else []
    frequency = session.sign_in_frequency if session else None
    return [*found, "signInFrequency"] if frequency and frequency.is_enabled is not False else found
