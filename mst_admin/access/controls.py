"""What in the tenant's policies keeps devices from the tunnel, or the administrator from the tenant.

Effects: docs/reference/mst-admin.md (Conditional Access), from the vendor's documentation where it says so.
Which policies decide about a user's sign-in is Entra's evaluation ("What If") of what the tenant has.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from mst_admin.access.objects import STATES, Pattern, PolicyFile
from mst_admin.change import Body
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.problem import Problem, warning
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import GATEWAY_APP_ID
from mstunnel_setup.tenant.wire_access import DISABLED, ENABLED, ConditionalAccessPolicy, WhatIfResult

EFFECTS: Final[Mapping[str, str]] = {
    "approvedApplication": text("Microsoft Defender is no approved client app"),
    "compliantApplication": text(
        "Microsoft Defender is not in the list of apps for it, and requests the token on Android"
    ),
    "domainJoinedDevice": text("it is for Windows, so it blocks phones"),
    "mfa": text("an always-on tunnel cannot prompt, nor can the iOS apps of unenrolled devices"),
    "passwordChange": text("an always-on tunnel cannot prompt"),
    "authenticationStrength": text("an always-on tunnel cannot prompt"),
    "termsOfUse": text("an always-on tunnel cannot prompt"),
    "signInFrequency": text("devices prompt each time it is over"),
}
STATE_WORDS: Final = {wire: word for word, wire in STATES.items()}


def warnings_of(file: PolicyFile) -> Iterator[Problem]:
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


def warnings_of_tenant(
    policies: Sequence[ConditionalAccessPolicy], break_glass_group: str
) -> Iterator[Problem]:
    """What is to be said of the policies that apply to the tunnel now."""
    active = [item for item in policies if item.state != DISABLED]
    for policy in active:
        state = STATE_WORDS.get(policy.state, policy.state)
        if _blocks_device_code(policy):
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
        elif concerns_tunnel(policy):
            yield from _about(policy, state, break_glass_group)
    if not any(item.state == ENABLED and concerns_tunnel(item) for item in active):
        yield warning(
            "no-enforced-policy",
            "no policy in force applies to the tunnel: every licensed user can connect from any device",
            hint=(
                "Evaluate a policy in report-only mode, then run `mst-admin conditional-access apply "
                "FILE --enable`."
            ),
        )


def concerns_tunnel(policy: ConditionalAccessPolicy) -> bool:
    """Whether the resources of a policy include the tunnel, alone or with all others."""
    applications = policy.conditions.applications
    included = {GATEWAY_APP_ID, "All"}.intersection(applications.include_applications)
    return bool(included) and GATEWAY_APP_ID not in applications.exclude_applications


def controls_of(policy: ConditionalAccessPolicy) -> list[str]:
    """What a policy requires, by the names in Graph."""
    grant, session = policy.grant_controls, policy.session_controls
    found = [*grant.built_in_controls] if grant else []
    found += ["termsOfUse"] if grant and grant.terms_of_use else []
    found += ["authenticationStrength"] if grant and grant.authentication_strength else []
    frequency = session.sign_in_frequency if session else None
    return [*found, "signInFrequency"] if frequency and frequency.is_enabled is not False else found


def _about(policy: ConditionalAccessPolicy, state: str, break_glass_group: str) -> Iterator[Problem]:
    for control in controls_of(policy):
        if control in EFFECTS:
            yield warning(
                "control-breaks-tunnel",
                "the policy {policy} ({state}) applies to the tunnel and uses {control}: {effect}",
                hint="Exclude Microsoft Tunnel Gateway from it, or test it on every platform.",
                policy=policy.display_name,
                state=state,
                control=control,
                effect=EFFECTS[control],
            )
    excluded = {item.lower() for item in policy.conditions.users.exclude_groups}
    if break_glass_group not in excluded:
        yield warning(
            "break-glass-not-excluded",
            "the policy {policy} applies to the tunnel and does not exclude the break-glass group",
            hint="Exclude the group from it in the Entra admin center.",
            policy=policy.display_name,
        )


def _blocks_device_code(policy: ConditionalAccessPolicy) -> bool:
    flows = policy.conditions.authentication_flows
    methods = (flows.transfer_methods or "").split(",") if flows else []
    return "deviceCodeFlow" in methods and "block" in controls_of(policy)


_PLATFORMS: Final = ("android", "iOS")
_NOT_ENOUGH: Final = "notEnoughInformation"


@dataclass(frozen=True)
class SignInCase:
    """One sign-in, and the policies that apply to it or for which more would have to be known."""

    user: str
    platform: str
    compliant: bool
    applying: Sequence[WhatIfResult]
    undecided: Sequence[WhatIfResult]

    def document(self) -> Body:
        """The case as JSON."""
        return {
            "user": self.user,
            "platform": self.platform,
            "compliant": self.compliant,
            "applying": [_policy(item) for item in self.applying],
            "undecided": [_policy(item) for item in self.undecided],
        }

    def lines(self) -> Iterator[str]:
        """The case for people."""
        compliance = "compliant" if self.compliant else text("not compliant")
        yield text(
            "{user}, {platform}, {compliance}:", user=self.user, platform=self.platform, compliance=compliance
        )
        for item in self.applying:
            controls = ", ".join(controls_of(item)) or text("no control that is known")
            yield text(
                "    {controls}: {display_name} ({state})",
                controls=controls,
                display_name=plain(item.display_name),
                state=STATE_WORDS.get(item.state, item.state),
            )
        for item in self.undecided:
            yield text(
                "    unknown: {display_name} has conditions that were not evaluated",
                display_name=plain(item.display_name),
            )
        if not self.applying and not self.undecided:
            yield text("    no policy applies")


def evaluate(graph: AdminGraph, users: Sequence[str]) -> list[SignInCase]:
    """Four sign-ins of each user (object id or UPN): Android and iOS, compliant and not.

    Raises TenantError, also `user-unknown`, and SignInError.
    """
    ids = {user: _id_of(graph, user) for user in users}
    return [
        _case(graph, user, ids[user], platform, compliant)
        for user, platform, compliant in product(users, _PLATFORMS, (True, False))
    ]


def _id_of(graph: AdminGraph, user: str) -> str:
    if is_guid(user):
        return user
    found = graph.user(user)
    if found is None:
        raise TenantError(
            "user-unknown",
            "there is no user {name} in the tenant",
            hint="Check the user name (user principal name), or give the object id.",
            name=user,
        )
    return found.id


def _case(graph: AdminGraph, user: str, identifier: str, platform: str, compliant: bool) -> SignInCase:
    conditions = {
        "devicePlatform": platform,
        "clientAppType": "mobileAppsAndDesktopClients",
        "signInRiskLevel": "none",
        "userRiskLevel": "none",
        "authenticationFlow": {"transferMethod": "none"},
        "deviceInfo": {"isCompliant": compliant},
    }
    found = graph.what_if(identifier, conditions)
    applying = [item for item in found if item.policy_applies]
    undecided = [item for item in found if item.analysis_reasons == _NOT_ENOUGH]
    return SignInCase(user, platform, compliant, applying, undecided)


def _policy(item: WhatIfResult) -> Body:
    return {
        "id": item.id,
        "name": item.display_name,
        "state": STATE_WORDS.get(item.state, item.state),
        "controls": controls_of(item),
    }
