"""What a refusal of Entra means, and what to do about it.

Source of the AADSTS numbers: Microsoft Entra authentication and authorization error codes. The OAuth error
names are those of RFC 6749 (5.2) and RFC 8628 (3.5).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mstunnel_setup.errors import SetupError, SignInError, WaitingError
from mstunnel_setup.tenant.text import plain


class _Meaning(NamedTuple):
    code: str
    message: str
    hint: str


_EXPIRED: Final = _Meaning(
    "device-code-expired",
    "the code was not used in time",
    "Run the command again and enter the new code within its time.",
)
_DECLINED: Final = _Meaning(
    "device-code-declined",
    "the sign-in was declined in the browser",
    "Run the command again and confirm the sign-in with the administrator's account.",
)
_BLOCKED: Final = _Meaning(
    "device-code-blocked",
    "Conditional Access does not allow this sign-in",
    "The sign-in log of the Entra admin center names the policy: often it blocks device code flow. Exclude "
    "this account or application from it, or set sign_in.method to client-certificate or token-file.",
)
_MANAGED: Final = _Meaning(
    "managed-device-needed",
    "Conditional Access asks for a managed device, which a sign-in by code cannot prove to be",
    "Exclude this account or application from that policy, or set sign_in.method to client-certificate or "
    "token-file.",
)
_MFA: Final = _Meaning(
    "mfa",
    "the account has to use or set up multi-factor authentication",
    "Sign in once in a browser to set it up, then run the command again.",
)
_TENANT: Final = _Meaning(
    "wrong-tenant",
    "the tenant does not exist or the account is not in it",
    "Check tenant.id and tenant.cloud, and sign in with an account of that tenant.",
)
_GUEST: Final = _Meaning(
    "guest-account",
    "the account belongs to another organization",
    "Sign in with an account of the tenant itself, or let an administrator invite this one and give it the "
    "role; then set tenant.id to the id of the tenant.",
)
_ACCOUNT: Final = _Meaning(
    "account-unusable",
    "the account is locked or disabled, or its password has expired",
    "Let an administrator of the tenant look at the account, or sign in with another one.",
)
_ASSIGNED: Final = _Meaning(
    "account-not-assigned",
    "the application is for accounts that were assigned to it, and this one was not",
    "Assign the account to the application in the Entra admin center (Enterprise applications, Users).",
)
_LICENCE: Final = _Meaning(
    "licence-missing",
    "the tenant has not subscribed to the service that was asked for",
    "Check that the tenant has an active Intune licence.",
)
_CONSENT: Final = _Meaning(
    "consent-missing",
    "nobody has consented to the permissions of the application",
    "Let an administrator consent to the permissions of the application sign_in.client_id in the Entra "
    "admin center (App registrations, API permissions), then run the same command again.",
)
_CLIENT: Final = _Meaning(
    "client-unknown",
    "the application does not exist in this tenant",
    "Check sign_in.client_id, tenant.id and tenant.cloud.",
)
_SECRET: Final = _Meaning(
    "secret-wrong",
    "the client secret is wrong or has expired",
    "Put the value of a valid secret (not its id) where sign_in.client_secret points.",
)
_CREDENTIAL: Final = _Meaning(
    "credential-unknown",
    "the application does not know this certificate, or it has expired",
    "Upload the certificate to the application (Certificates & secrets) or use the one that is there.",
)
_PUBLIC: Final = _Meaning(
    "client-not-public",
    "the application does not allow sign-in without a secret",
    'Set "Allow public client flows" of the application to yes.',
)
_CLOCK: Final = _Meaning(
    "clock-skew",
    "the clock of this host differs too much from Entra's",
    "Set the time (`timedatectl set-ntp true`) and run the command again.",
)
_SESSION: Final = _Meaning(
    "sign-in-expired", "the sign-in is no longer valid", "Run the command again and sign in anew."
)

BY_NUMBER: Final = {
    53003: _BLOCKED,  # blocked by Conditional Access
    50097: _MANAGED,  # device authentication required
    53000: _MANAGED,  # device not compliant
    53001: _MANAGED,  # device not joined
    53002: _MANAGED,  # application not approved
    530002: _MANAGED,  # device has to be compliant
    530003: _MANAGED,  # device has to be managed
    530032: _BLOCKED,  # blocked by a security policy of the tenant
    530035: _BLOCKED,  # blocked by security defaults
    50053: _ACCOUNT,
    50055: _ACCOUNT,
    50057: _ACCOUNT,
    50105: _ASSIGNED,
    650052: _LICENCE,  # no subscription for the resource
    50072: _MFA,
    50074: _MFA,
    50076: _MFA,
    50079: _MFA,
    50158: _MFA,  # a check of another provider
    50020: _GUEST,  # account of another identity provider
    50034: _TENANT,  # account not in the directory
    90002: _TENANT,  # tenant not found
    90072: _GUEST,  # external account
    500212: _GUEST,  # the home tenant does not allow it out
    500213: _GUEST,  # the tenant does not allow it in
    900023: _TENANT,  # tenant name is neither id nor domain
    65001: _CONSENT,
    65004: _CONSENT,
    90094: _CONSENT,
    700016: _CLIENT,
    7000229: _CLIENT,  # no service principal in the tenant
    7000215: _SECRET,
    7000222: _SECRET,
    700027: _CREDENTIAL,
    7000218: _PUBLIC,
    700024: _CLOCK,
    50173: _SESSION,
    700082: _SESSION,
    70019: _EXPIRED,
}

BY_NAME: Final = {
    "expired_token": _EXPIRED,
    "code_expired": _EXPIRED,
    "authorization_declined": _DECLINED,
    "access_denied": _DECLINED,
    "interaction_required": _MFA,
    "consent_required": _CONSENT,
}

_OTHER: Final = _Meaning(
    "sign-in-failed",
    "Entra refused the sign-in",
    "Look the number up at https://login.microsoftonline.com/error, or in the sign-in log of the Entra admin "
    "center.",
)

_ASK_FOR_CONSENT: Final = (
    "Sign in with an administrator who may consent and accept for the organization, or let one open this "
    "address and accept, then run the same command again:"
)
_NUMBER: Final = re.compile(r"AADSTS(\d{4,8})")


def sign_in_error(answer: Mapping[str, Any], consent_address: str = "") -> SetupError:
    """Return the error that an OAuth error answer amounts to; Entra's own words go into the message.

    Missing consent is a WaitingError that names `consent_address`, every other refusal a SignInError.
    """
    meaning = _meaning(answer)
    description = str(answer.get("error_description") or answer.get("error") or "")
    # Below the first line come trace id, correlation id and time, which name no cause.
    words = plain(re.split(r"[\r\n]|Trace ID:", description, maxsplit=1)[0])
    message = f"{meaning.message}: {words}" if words else meaning.message
    if meaning is _CONSENT and consent_address:
        return WaitingError("consent-missing", message, f"{_ASK_FOR_CONSENT} {consent_address}")
    return SignInError(meaning.code, message, meaning.hint)


def _meaning(answer: Mapping[str, Any]) -> _Meaning:
    for number in _numbers(answer):
        if number in BY_NUMBER:
            return BY_NUMBER[number]
    return BY_NAME.get(str(answer.get("error")), _OTHER)


def _numbers(answer: Mapping[str, Any]) -> Iterator[int]:
    listed = answer.get("error_codes")
    if isinstance(listed, list):
        yield from (number for number in listed if isinstance(number, int))
    for found in _NUMBER.findall(str(answer.get("error_description"))):
        yield int(found)
