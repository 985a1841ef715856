"""Errors of `tenant`, each declared once (docs/reference/errors.md)."""

from mstunnel_setup.errors import NetworkError, SignInError, TenantError, UsageError, WaitingError, declare

ADMIN_CONSENT_NEEDED = declare(
    WaitingError,
    "admin-consent-needed",
    "{application} still lacks the permission {configuration_read_write}",
    "Let a Privileged Role Administrator open {address} and accept, then run the same command again.",
)
ANSWER_NOT_GRAPH = declare(
    NetworkError,
    "answer-not-graph",
    "{host} answered with something that is not Graph's ({status}, no JSON)",
    "A captive portal, web filter or proxy page stands in between: let this host through, or "
    "check https_proxy, no_proxy and tenant.graph.",
)
APPLICATION_AMBIGUOUS = declare(
    TenantError,
    "application-ambiguous",
    "the tenant has {count} applications called {display_name}",
    "Delete them in the Entra admin center (App registrations) and run the command again.",
)
APPLICATION_NAME_TAKEN = declare(
    TenantError,
    "application-name-taken",
    "the tenant already has an application called {display_name}",
    "Delete it in the Entra admin center (App registrations) if an earlier installation left it.",
)
APP_ROLE_MISSING = declare(
    TenantError,
    "app-role-missing",
    "Graph of this tenant does not offer the permission {configuration_read_write}",
    "Check that Intune is licensed in this tenant and that tenant.cloud is right.",
)
CLOUD_ADDRESS = declare(
    UsageError,
    "cloud-address",
    "{setting} is not an address of the form https://HOST[:PORT][/PATH]: {text}",
    "Sign-in and Graph are only ever spoken to over https.",
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
    UsageError,
    "cloud-unknown",
    "there is no cloud called {name}",
    "Use one of: {value}.",
)
CREDENTIAL_CHANGED = declare(
    SignInError,
    "credential-changed",
    "the credential of identity changed since the check a moment ago",
    "Run the command again so that the new one is checked.",
)
CREDENTIAL_MISSING = declare(
    SignInError,
    "credential-missing",
    "there is no credential at {path}",
    "Give the path of a PFX or PEM file.",
)
CREDENTIAL_UNREADABLE = declare(
    SignInError,
    "credential-unreadable",
    "{path} cannot be read as PFX or PEM with that passphrase",
    "Check the passphrase, and that both key and certificate are given.",
)
CREDENTIAL_UNSUITABLE = declare(
    SignInError,
    "credential-unsuitable",
    "{path} does not hold an RSA key with its certificate",
    "Use an RSA key of at least 2048 bits and the certificate that was issued for it.",
)
GRAPH_PRINCIPAL_MISSING = declare(
    TenantError,
    "graph-principal-missing",
    "the tenant has no service principal of Microsoft Graph",
    "Check tenant.id and tenant.cloud: every tenant with Intune has one.",
)
ID_MALFORMED = declare(
    TenantError,
    "id-malformed",
    "this is not the id of a Graph object: {text}",
    "Give a GUID.",
)
METRIC_MALFORMED = declare(
    TenantError,
    "metric-malformed",
    "this is not the name of a metric: {name!r}",
    "Use letters and digits.",
)
PAGING_BROKEN = declare(
    TenantError,
    "paging-broken",
    "the pages of {path} lead in a circle or away from Graph",
    "Run the command again; if it stays, check what stands between this host and Graph.",
)
SECRET_NOT_MADE = declare(
    TenantError,
    "secret-not-made",
    "Graph made a secret for the application, but did not show it",
    "Leave identity.credential out, so that the server signs in with a certificate.",
)
SERVER_NAME_TAKEN = declare(
    TenantError,
    "server-name-taken",
    "the site already has a server called {name}, which is at work",
    "Set another server_name.",
)
SERVER_RECORD_LEFT = declare(
    TenantError,
    "server-record-left",
    "the site has {found}",
    "If that server is gone, run the command again with `left_record: remove` in the answers "
    "(or MSTUNNEL_LEFT_RECORD=remove), or after `mst-admin server delete {name} --site {site_id}`; "
    "otherwise set another server_name.",
)
SIGN_IN_UNAVAILABLE = declare(
    SignInError,
    "sign-in-unavailable",
    "{host} is out of order ({status_code})",
    "Run the command again in some minutes.",
)
SITE_DELETED = declare(
    TenantError,
    "site-deleted",
    "the site {site} is no longer in the tenant",
    "Create it again, or take this server out with `mst-cli uninstall` and install it into another site.",
)
TENANT_MISSING = declare(
    SignInError,
    "tenant-missing",
    "an application signs in to one tenant, and tenant.id does not name one",
    "Set tenant.id to the id or domain of the tenant.",
)
TOKEN_EXPIRED = declare(
    SignInError,
    "token-expired",
    "the token in {path} has expired",
    "Put a fresh one there.",
)
TOKEN_MALFORMED = declare(
    SignInError,
    "token-malformed",
    "{path} does not hold an access token",
    "Put the bare access token into the file, nothing else.",
)
TOKEN_MISSING = declare(
    SignInError,
    "token-missing",
    "there is no token file at {path}",
    "Check the path.",
)
