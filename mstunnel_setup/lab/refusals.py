"""What Entra says when it refuses a user who gave the right password.

Numbers: Microsoft Entra authentication and authorization error codes. That the browser shows them and the
waiting device gets them as these OAuth codes is the lab's reading: no public source says it in full.
"""

from typing import Final, NamedTuple

from mstunnel_setup.lab.errors import OAuthError


class Refusal(NamedTuple):
    """OAuth code and message that go with an AADSTS number."""

    error: str
    message: str


ACCOUNT_LOCKED: Final = 50053
MFA_REQUIRED: Final = 50076

REFUSALS: Final = {
    ACCOUNT_LOCKED: Refusal("invalid_grant", "The account is locked."),
    50055: Refusal("invalid_grant", "The password is expired."),
    50057: Refusal("invalid_grant", "The user account is disabled."),
    50072: Refusal("interaction_required", "The user has to enrol in multi-factor authentication."),
    50074: Refusal("interaction_required", "Strong authentication is required."),
    MFA_REQUIRED: Refusal("interaction_required", "The user must use multi-factor authentication."),
    50079: Refusal("interaction_required", "The user has to set up multi-factor authentication."),
    50097: Refusal("interaction_required", "Device authentication is required."),
    50105: Refusal("invalid_grant", "The user is not assigned to a role for the application."),
    53000: Refusal("interaction_required", "The device is not in the required state: it is not compliant."),
    53001: Refusal("interaction_required", "The device is not in the required state: it is not joined."),
    53003: Refusal("invalid_grant", "Access has been blocked by Conditional Access policies."),
    53004: Refusal("interaction_required", "The user has to finish setting up multi-factor authentication."),
}
"""Refusals of a user by AADSTS number."""


def refused(number: int) -> OAuthError:
    """Return the refusal as the token endpoint tells it."""
    refusal = REFUSALS[number]
    return OAuthError(refusal.error, number, refusal.message)
