"""Which policies of the tenant decide about a user's sign-in for the tunnel: Entra's evaluation ("What If").

Policies that are only planned are not part of it: they must be in the tenant, in report-only mode.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from mst_admin.access.controls import STATE_WORDS, controls_of
from mst_admin.change import Body
from mstunnel_setup.base.errors import TenantError
from mstunnel_setup.base.text import plain, text
from mstunnel_setup.tenant.graph import is_guid
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire_access import WhatIfResult

_PLATFORMS: Final = ("android", "iOS")
_NOT_ENOUGH: Final = "notEnoughInformation"


@dataclass(frozen=True)
class Case:
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


def evaluate(graph: AdminGraph, users: Sequence[str]) -> list[Case]:
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


def _case(graph: AdminGraph, user: str, identifier: str, platform: str, compliant: bool) -> Case:
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
    return Case(user, platform, compliant, applying, undecided)


def _policy(item: WhatIfResult) -> Body:
    return {
        "id": item.id,
        "name": item.display_name,
        "state": STATE_WORDS.get(item.state, item.state),
        "controls": controls_of(item),
    }
