"""The errors for Entra's refusals.

Source of the AADSTS numbers: Microsoft Entra authentication and authorization error codes. The OAuth error
names are those of RFC 6749 (5.2) and RFC 8628 (3.5).
"""

import re
from collections.abc import Mapping
from typing import Final

from mstunnel_setup.base.errors import Declared, SetupError, SignInError, WaitingError, declare
from mstunnel_setup.base.text import plain

APPLICATION_CONSENT_MISSING = declare(
    SignInError,
    "application-consent-missing",
    "the permissions of the application have no consent{detail}",
    "Let an administrator consent to the permissions of the application sign_in.client_id in the Entra "
    "admin center (App registrations, API permissions), then run the same command again.",
)
LICENCE_MISSING = declare(
    SignInError,
    "licence-missing",
    "the tenant or the account has no Intune licence{detail}",
    "Check that the tenant has an active Intune licence, assign one to the account that signs in, then run "
    "the command again.",
)
SIGN_IN_FAILED = declare(
    SignInError,
    "sign-in-failed",
    "Entra refused the sign-in{detail}",
    "Look up the number at https://login.microsoftonline.com/error, or in the sign-in log of the Entra admin "
    "center.",
)

_REFUSALS: Final[Mapping[Declared[SignInError], tuple[int | str, ...]]] = {
    declare(
        SignInError,
        "account-not-assigned",
        "the application requires user assignment, and this account is not assigned to it{detail}",
        "Assign the account to the application in the Entra admin center (Enterprise applications, Users).",
    ): (50105,),
    declare(
        SignInError,
        "account-unusable",
        "the account is locked or disabled, or its password has expired{detail}",
        "Let an administrator of the tenant check the account, or sign in with another one.",
    ): (50053, 50055, 50057),
    APPLICATION_CONSENT_MISSING: (65001, 65004, 90094, "consent_required"),
    declare(
        SignInError,
        "application-unknown",
        "the application does not exist in this tenant{detail}",
        "Check sign_in.client_id, tenant.id and tenant.cloud.",
    ): (
        700016,
        7000229,  # no service principal in the tenant
    ),
    declare(
        SignInError,
        "client-not-public",
        "the application does not allow sign-in without a secret{detail}",
        'Set "Allow public client flows" of the application to yes.',
    ): (7000218,),
    declare(
        SignInError,
        "clock-skew",
        "the clock of this host differs too much from Entra's{detail}",
        "Set the time (`timedatectl set-ntp true`), then run the command again.",
    ): (700024,),
    declare(
        SignInError,
        "credential-unknown",
        "the certificate is not registered with the application, or has expired{detail}",
        "Upload the certificate to the application (Certificates & secrets), or use the one that is "
        "registered there.",
    ): (700027,),
    declare(
        SignInError,
        "device-code-blocked",
        "Conditional Access does not allow this sign-in{detail}",
        "The sign-in log of the Entra admin center names the policy: often it blocks device code flow. "
        "Exclude this account or application from it, or set sign_in.method to client-certificate or "
        "token-file.",
    ): (
        53003,  # blocked by Conditional Access
        530032,  # blocked by a security policy of the tenant
        530035,  # blocked by security defaults
    ),
    declare(
        SignInError,
        "device-code-declined",
        "the sign-in was declined in the browser{detail}",
        "Run the command again and confirm the sign-in with the administrator's account.",
    ): ("authorization_declined", "access_denied"),
    declare(
        SignInError,
        "device-code-expired",
        "the code was not entered in time{detail}",
        "Run the command again and enter the new code before it expires.",
    ): (70019, "expired_token", "code_expired"),
    declare(
        SignInError,
        "guest-account",
        "the account belongs to another organization{detail}",
        "Sign in with an account of the tenant itself, or let an administrator invite this one and assign it "
        "the role; then set tenant.id to the id of the tenant.",
    ): (
        50020,  # account of another identity provider
        90072,  # external account
        500212,  # the home tenant does not allow it out
        500213,  # the tenant does not allow it in
    ),
    LICENCE_MISSING: (
        650052,  # no subscription for the resource
    ),
    declare(
        SignInError,
        "managed-device-needed",
        "Conditional Access requires a managed device, which sign-in by device code cannot prove{detail}",
        "Exclude this account or application from that policy, or set sign_in.method to client-certificate "
        "or token-file.",
    ): (
        50097,  # device authentication required
        53000,  # device not compliant
        53001,  # device not joined
        53002,  # application not approved
        530002,  # device has to be compliant
        530003,  # device has to be managed
    ),
    declare(
        SignInError,
        "mfa",
        "the account must use or set up multi-factor authentication{detail}",
        "Sign in once in a browser to set it up, then run the command again.",
    ): (
        50072,
        50074,
        50076,
        50079,
        50158,  # a check of another provider
        "interaction_required",
    ),
    declare(
        SignInError,
        "secret-wrong",
        "the client secret is wrong or has expired{detail}",
        "Put the value of a valid secret (not its id) where sign_in.client_secret points.",
    ): (7000215, 7000222),
    declare(
        SignInError,
        "sign-in-expired",
        "the sign-in is no longer valid{detail}",
        "Run the command again and sign in again.",
    ): (50173, 700082),
    declare(
        SignInError,
        "wrong-tenant",
        "the tenant does not exist, or the account is not in it{detail}",
        "Check tenant.id and tenant.cloud, and sign in with an account of that tenant.",
    ): (
        50034,  # account not in the directory
        90002,  # tenant not found
        900023,  # tenant name is neither id nor domain
    ),
}
"""Each refusal, with the AADSTS numbers and OAuth names that stand for it."""

BY_KEY: Final = {key: refusal for refusal, keys in _REFUSALS.items() for key in keys}

_NUMBER: Final = re.compile(r"AADSTS(\d{4,8})")


def sign_in_error(answer: Mapping[str, object], consent_address: str = "") -> SetupError:
    """Return the error for an OAuth error response, with Entra's own description in the message.

    Missing consent is a WaitingError that names `consent_address`, every other refusal a SignInError.
    """
    listed = answer.get("error_codes")
    described = map(int, _NUMBER.findall(str(answer.get("error_description"))))
    numbers = [item for item in (listed if isinstance(listed, list) else ()) if isinstance(item, int)]
    keys = (*numbers, *described, str(answer.get("error")))
    refusal = next((BY_KEY[key] for key in keys if key in BY_KEY), SIGN_IN_FAILED)
    description = str(answer.get("error_description") or answer.get("error") or "")
    # The following lines are trace id, correlation id and time, which name no cause.
    first = plain(re.split(r"[\r\n]|Trace ID:", description, maxsplit=1)[0])
    detail = f": {first}" if first else ""
    if refusal is APPLICATION_CONSENT_MISSING and consent_address:
        return WaitingError(
            "consent-missing",
            "the permissions of the application have no consent{detail}",
            hint=(
                "Sign in as an administrator who can consent and accept for the organization, or let "
                "one open this address and accept, then run the same command again: {address}"
            ),
            detail=detail,
            address=consent_address,
        )
    return refusal(detail=detail)
