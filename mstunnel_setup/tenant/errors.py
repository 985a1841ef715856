"""Errors of `tenant`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.base.errors import (
    NetworkError,
    SignInError,
    TenantError,
    UsageError,
    WaitingError,
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
ADMIN_CONSENT_NEEDED = declare(
    WaitingError,
    "admin-consent-needed",
    "{application} does not have the permission {permission} yet",
    "Let a Privileged Role Administrator open {address} and accept, then run the same command again.",
)
ANSWER_NOT_ENTRA = declare(
    NetworkError,
    "answer-not-entra",
    "{host} returned HTTP {status} without JSON: this is not Entra",
    "A captive portal, web filter or proxy answers instead: allow this host there, or check https_proxy, "
    "no_proxy and tenant.authority.",
)
ANSWER_NOT_GRAPH = declare(
    NetworkError,
    "answer-not-graph",
    "{host} returned HTTP {status} without JSON: this is not Graph",
    "A captive portal, web filter or proxy answers instead: allow this host there, or check https_proxy, "
    "no_proxy and tenant.graph.",
)
ANSWER_UNEXPECTED = declare(
    TenantError,
    "answer-unexpected",
    "Graph returned {found}",
    "Check tenant.graph. If it is correct, the API has changed: install a newer version of mstunnel-setup.",
)
APPLICATION_AMBIGUOUS = declare(
    TenantError,
    "application-ambiguous",
    "the tenant has {count} applications called {display_name}",
    "Delete them in the Entra admin center (App registrations), then run the command again.",
)
APPLICATION_CONSENT_MISSING = declare(
    SignInError,
    "application-consent-missing",
    "the permissions of the application have no consent{detail}",
    "Let an administrator consent to the permissions of the application sign_in.client_id in the Entra "
    "admin center (App registrations, API permissions), then run the same command again.",
)
APPLICATION_NAME_TAKEN = declare(
    TenantError,
    "application-name-taken",
    "the tenant already has an application called {display_name}",
    "Delete it in the Entra admin center (App registrations) if an earlier installation left it.",
)
APPLICATION_UNKNOWN = declare(
    SignInError,
    "application-unknown",
    "the application does not exist in this tenant{detail}",
    "Check sign_in.client_id, tenant.id and tenant.cloud.",
)
APP_ROLE_MISSING = declare(
    TenantError,
    "app-role-missing",
    "Graph in this tenant does not offer the permission {permission}",
    "Check that Intune is licensed in this tenant and that tenant.cloud is correct.",
)
AUTHORITY_MISMATCH = declare(
    SignInError,
    "authority-mismatch",
    "the metadata of {host} names an endpoint on another host: {url}",
    "Check tenant.authority, and any proxy between this host and the sign-in address.",
)
AUTHORITY_UNUSABLE = declare(
    SignInError,
    "authority-unusable",
    "the sign-in address cannot be used: {reason}",
    "Check tenant.id, tenant.cloud and tenant.authority.",
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
CLOUD_ADDRESS = declare(
    UsageError,
    "cloud-address",
    "{setting} is not an address of the form https://HOST[:PORT][/PATH]: {address}",
    "Write it with https: sign-in and Graph require it.",
)
CLOUD_FIXED = declare(
    UsageError,
    "cloud-fixed",
    "the addresses of the cloud {name} cannot be changed",
    "Remove tenant.authority and tenant.graph, or set tenant.cloud to custom.",
)
CLOUD_INCOMPLETE = declare(
    UsageError,
    "cloud-incomplete",
    "a custom cloud needs both tenant.authority and tenant.graph",
    "Set both, for example to the values in lab.json.",
)
CLOUD_UNKNOWN = declare(
    UsageError, "cloud-unknown", "there is no cloud called {name}", "Use one of: {names}."
)
CONFLICT = declare(
    TenantError,
    "conflict",
    "Graph reports a conflict: {request}",
    "Change or delete first what uses the object; use another name if this one is taken.",
)
CONSENT_MISSING = declare(
    WaitingError,
    "consent-missing",
    "the permissions of the application have no consent{detail}",
    "Sign in as an administrator who can consent and accept for the organization, or let one open this "
    "address and accept, then run the same command again: {address}",
)
CREDENTIAL_CHANGED = declare(
    SignInError,
    "credential-changed",
    "the credential in `identity` changed after it was checked",
    "Run the command again to check the new one.",
)
CREDENTIAL_MISSING = declare(
    SignInError,
    "credential-missing",
    "there is no credential at {path}",
    "Give the path of a PFX or PEM file.",
)
CREDENTIAL_UNKNOWN = declare(
    SignInError,
    "credential-unknown",
    "the application does not know this certificate, or it has expired{detail}",
    "Upload the certificate to the application (Certificates & secrets), or use the one that is there.",
)
CREDENTIAL_UNREADABLE = declare(
    SignInError,
    "credential-unreadable",
    "{path} cannot be read as PFX or PEM with that passphrase",
    "Check the passphrase, and that key and certificate are both given.",
)
CREDENTIAL_UNSUITABLE = declare(
    SignInError,
    "credential-unsuitable",
    "{path} does not hold an RSA key with its certificate",
    "Use an RSA key of at least 2048 bits and the certificate that was issued for it.",
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
GRAPH_PRINCIPAL_MISSING = declare(
    TenantError,
    "graph-principal-missing",
    "the tenant has no service principal of Microsoft Graph",
    "Check tenant.id and tenant.cloud: every tenant with Intune has one.",
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
METRIC_MALFORMED = declare(
    TenantError, "metric-malformed", "{name!r} is not the name of a metric", "Use letters and digits."
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
PAGING_BROKEN = declare(
    TenantError,
    "paging-broken",
    "the page links of {path} form a loop or leave Graph",
    "Run the command again; if it fails again, check any proxy between this host and Graph.",
)
PERMISSION_MISSING = declare(
    SignInError,
    "permission-missing",
    "Graph denied access: {request}",
    "Grant the application consent to {permission}{role}.",
)
PLAY_APP_MISSING = declare(
    TenantError,
    "play-app-missing",
    "managed Google Play did not add the app {package}",
    "Check in the admin center that the tenant is connected to managed Google Play, add the app there, then "
    "run the command again.",
)
REQUEST_REFUSED = declare(
    TenantError,
    "request-refused",
    "Graph refused {request}",
    "Correct the value that the message names, or run the command again with --verbose and read the log.",
)
ROLE_MISSING = declare(
    SignInError,
    "role-missing",
    "{account} is neither Intune Administrator nor Global Administrator{guest}",
    "Activate or assign one of these roles{alternative}, then run the command again.",
)
SECRET_NOT_MADE = declare(
    TenantError,
    "secret-not-made",
    "Graph created a secret for the application, but did not return it",
    "Remove identity.credential, so that the server signs in with a certificate.",
)
SECRET_WRONG = declare(
    SignInError,
    "secret-wrong",
    "the client secret is wrong or has expired{detail}",
    "Put the value of a valid secret (not its id) where sign_in.client_secret points.",
)
SERVER_NAME_TAKEN = declare(
    TenantError,
    "server-name-taken",
    "the site already has a running server called {name}",
    "Set another server_name.",
)
SERVER_RECORD_LEFT = declare(
    TenantError,
    "server-record-left",
    "the site has {record}",
    "If that server is gone, run the command again with `left_record: remove` in the answers "
    "(or MSTUNNEL_LEFT_RECORD=remove), or after `mst-admin server delete {name} --site {site_id}`; "
    "otherwise set another server_name.",
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
SIGN_IN_UNAVAILABLE = declare(
    SignInError,
    "sign-in-unavailable",
    "{host} returned HTTP {status}",
    "Wait a few minutes, then run the command again.",
)
SITE_DELETED = declare(
    TenantError,
    "site-deleted",
    "the site {site} is no longer in the tenant",
    "Create it again, or uninstall this server with `mst-cli uninstall` and install it in another site.",
)
TENANT_MISSING = declare(
    SignInError,
    "tenant-missing",
    "an application must sign in to one tenant, and tenant.id does not name one",
    "Set tenant.id to the id or domain of the tenant.",
)
THROTTLED = declare(
    TenantError,
    "throttled",
    "Graph is throttling requests: {request}",
    "Wait a few minutes, then run the command again.",
)
TOKEN_EXPIRED = declare(
    SignInError, "token-expired", "the token in {path} has expired", "Replace it with a valid token."
)
TOKEN_MALFORMED = declare(
    SignInError,
    "token-malformed",
    "{path} does not hold an access token",
    "Write the access token to the file, without anything else.",
)
TOKEN_MISSING = declare(SignInError, "token-missing", "there is no token file at {path}", "Check the path.")
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
