"""What a refusal of Entra means, and what to do about it.

Source of the AADSTS numbers: Microsoft Entra authentication and authorization error codes. The OAuth error
names are those of RFC 6749 (5.2) and RFC 8628 (3.5).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from mstunnel_setup.errors import SignInError
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
    "Exclude this account or application from the policy that blocks device code flow or asks for a managed "
    "device, or set sign_in.method to client-certificate or token-file.",
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
_CONSENT: Final = _Meaning(
    "consent-missing",
    "nobody has consented to the permissions of the application",
    "Let an administrator consent to the permissions of the application sign_in.client_id in the Entra "
    "admin center (App registrations, API permissions).",
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

_BY_NUMBER: Final = {
    53003: _BLOCKED,  # blocked by Conditional Access
    50097: _BLOCKED,  # device authentication required
    53000: _BLOCKED,  # device not compliant
    53001: _BLOCKED,  # device not joined
    50072: _MFA,
    50074: _MFA,
    50076: _MFA,
    50079: _MFA,
    50020: _TENANT,  # account of another identity provider
    50034: _TENANT,  # account not in the directory
    90002: _TENANT,  # tenant not found
    90072: _TENANT,  # external account
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

_BY_NAME: Final = {
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
    "Look the number up in the sign-in logs of the Entra admin center.",
)

_NUMBER: Final = re.compile(r"AADSTS(\d{4,8})")


def sign_in_error(answer: Mapping[str, Any]) -> SignInError:
    """Return the error that an OAuth error answer amounts to; Entra's own words go into the message."""
    meaning = _meaning(answer)
    description = str(answer.get("error_description") or answer.get("error") or "")
    # Below the first line come trace id, correlation id and time, which name no cause.
    words = plain(re.split(r"[\r\n]|Trace ID:", description, maxsplit=1)[0])
    return SignInError(
        meaning.code, f"{meaning.message}: {words}" if words else meaning.message, meaning.hint
    )


def _meaning(answer: Mapping[str, Any]) -> _Meaning:
    for number in _numbers(answer):
        if number in _BY_NUMBER:
            return _BY_NUMBER[number]
    return _BY_NAME.get(str(answer.get("error")), _OTHER)


def _numbers(answer: Mapping[str, Any]) -> Iterator[int]:
    listed = answer.get("error_codes")
    if isinstance(listed, list):
        yield from (number for number in listed if isinstance(number, int))
    for found in _NUMBER.findall(str(answer.get("error_description"))):
        yield int(found)
