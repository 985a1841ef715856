"""Errors of `tenant` that several places raise."""

from mstunnel_setup.base.errors import (
    NetworkError,
    SignInError,
    TenantError,
    declare,
)

ACCOUNT_NOT_ASSIGNED = declare(
    SignInError,
    "account-not-assigned",
    "the application requires user assignment, and this account is not assigned to it{detail}",
    "Assign the account to the application in the Entra admin center (Enterprise applications, Users).",
)
ACCOUNT_UNUSABLE = declare(
    SignInError,
    "account-unusable",
    "the account is locked or disabled, or its password has expired{detail}",
    "Let an administrator of the tenant check the account, or sign in with another one.",
)
ANSWER_UNEXPECTED = declare(
    TenantError,
    "answer-unexpected",
    "Graph returned {found}",
    "Check tenant.graph. If it is correct, the API has changed: install a newer version of mstunnel-setup.",
)
APPLICATION_CONSENT_MISSING = declare(
    SignInError,
    "application-consent-missing",
    "the permissions of the application have no consent{detail}",
    "Let an administrator consent to the permissions of the application sign_in.client_id in the Entra "
    "admin center (App registrations, API permissions), then run the same command again.",
)
APPLICATION_UNKNOWN = declare(
    SignInError,
    "application-unknown",
    "the application does not exist in this tenant{detail}",
    "Check sign_in.client_id, tenant.id and tenant.cloud.",
)
CHANGED_MEANWHILE = declare(
    TenantError,
    "changed-meanwhile",
    "the object was changed by someone else at the same time: {request}",
    "Run the command again.",
)
CLIENT_NOT_PUBLIC = declare(
    SignInError,
    "client-not-public",
    "the application does not allow sign-in without a secret{detail}",
    'Set "Allow public client flows" of the application to yes.',
)
CLOCK_SKEW = declare(
    SignInError,
    "clock-skew",
    "the clock of this host differs too much from Entra's{detail}",
    "Set the time (`timedatectl set-ntp true`), then run the command again.",
)
CONFLICT = declare(
    TenantError,
    "conflict",
    "Graph reports a conflict: {request}",
    "Change or delete first what uses the object; use another name if this one is taken.",
)
CREDENTIAL_UNKNOWN = declare(
    SignInError,
    "credential-unknown",
    "the application does not know this certificate, or it has expired{detail}",
    "Upload the certificate to the application (Certificates & secrets), or use the one that is there.",
)
DEVICE_CODE_BLOCKED = declare(
    SignInError,
    "device-code-blocked",
    "Conditional Access does not allow this sign-in{detail}",
    "The sign-in log of the Entra admin center names the policy: often it blocks device code flow. Exclude "
    "this account or application from it, or set sign_in.method to client-certificate or token-file.",
)
DEVICE_CODE_DECLINED = declare(
    SignInError,
    "device-code-declined",
    "the sign-in was declined in the browser{detail}",
    "Run the command again and confirm the sign-in with the administrator's account.",
)
DEVICE_CODE_EXPIRED = declare(
    SignInError,
    "device-code-expired",
    "the code was not entered in time{detail}",
    "Run the command again and enter the new code before it expires.",
)
DEVICE_CODE_UNREADABLE = declare(
    NetworkError,
    "device-code-unreadable",
    "the response to the device code request cannot be read: {reason}",
    "Check tenant.authority, and any proxy between this host and the sign-in address.",
)
ENTRA_LICENCE_MISSING = declare(
    SignInError,
    "entra-licence-missing",
    "the tenant has no licence for Conditional Access{detail}",
    "Check that the tenant has Microsoft Entra ID P1.",
)
GRAPH_UNAVAILABLE = declare(
    TenantError,
    "graph-unavailable",
    "Graph is not available: {request}",
    "Check the service health of Intune, then run the command again.",
)
GUEST_ACCOUNT = declare(
    SignInError,
    "guest-account",
    "the account belongs to another organization{detail}",
    "Sign in with an account of the tenant itself, or let an administrator invite this one and assign it the "
    "role; then set tenant.id to the id of the tenant.",
)
ID_MALFORMED = declare(TenantError, "id-malformed", "{text} is not the id of a Graph object", "Give a GUID.")
LICENCE_MISSING = declare(
    SignInError,
    "licence-missing",
    "the tenant or the account has no Intune licence{detail}",
    "Check that the tenant has an active Intune licence, assign one to the account that signs in, then run "
    "the command again.",
)
MANAGED_DEVICE_NEEDED = declare(
    SignInError,
    "managed-device-needed",
    "Conditional Access requires a managed device, which sign-in by device code cannot prove{detail}",
    "Exclude this account or application from that policy, or set sign_in.method to client-certificate or "
    "token-file.",
)
MFA = declare(
    SignInError,
    "mfa",
    "the account must use or set up multi-factor authentication{detail}",
    "Sign in once in a browser to set it up, then run the command again.",
)
NOT_FOUND = declare(
    TenantError,
    "not-found",
    "Graph does not have the object: {request}",
    "Check in the admin center that it still exists.",
)
REQUEST_REFUSED = declare(
    TenantError,
    "request-refused",
    "Graph refused {request}",
    "Correct the value that the message names, or run the command again with --verbose and read the log.",
)
SECRET_WRONG = declare(
    SignInError,
    "secret-wrong",
    "the client secret is wrong or has expired{detail}",
    "Put the value of a valid secret (not its id) where sign_in.client_secret points.",
)
SIGN_IN_EXPIRED = declare(
    SignInError,
    "sign-in-expired",
    "the sign-in is no longer valid{detail}",
    "Run the command again and sign in again.",
)
SIGN_IN_FAILED = declare(
    SignInError,
    "sign-in-failed",
    "Entra refused the sign-in{detail}",
    "Look up the number at https://login.microsoftonline.com/error, or in the sign-in log of the Entra admin "
    "center.",
)
THROTTLED = declare(
    TenantError,
    "throttled",
    "Graph is throttling requests: {request}",
    "Wait a few minutes, then run the command again.",
)
TOKEN_REFUSED = declare(
    SignInError,
    "token-refused",
    "Graph refused the access token: {request}",
    "Sign in again; check tenant.cloud and the clock of this host.",
)
WRONG_TENANT = declare(
    SignInError,
    "wrong-tenant",
    "the tenant does not exist, or the account is not in it{detail}",
    "Check tenant.id and tenant.cloud, and sign in with an account of that tenant.",
)
