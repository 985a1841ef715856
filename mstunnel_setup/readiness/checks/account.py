"""Group `account`: may this account register a server? Role and licence, never the token."""

from mstunnel_setup.base.text import text
from mstunnel_setup.readiness import findings
from mstunnel_setup.readiness.facts import AccountFacts
from mstunnel_setup.readiness.model import Checks, Group, Severity, Verdict, passed, skipped
from mstunnel_setup.tenant.sign_in import GLOBAL_ADMINISTRATOR, INTUNE_ADMINISTRATOR

CHECKS = Checks(Group.ACCOUNT)

_ROLES = {
    INTUNE_ADMINISTRATOR: text("Intune Administrator"),
    GLOBAL_ADMINISTRATOR: text("Global Administrator"),
}
_AWAY = text("not signed in")


@CHECKS.add(
    "account-sign-in",
    "Sign-in",
    passes="Sign-in works, by the method of the answer file; a device code unless it says otherwise.",
)
def _sign_in(account: AccountFacts) -> Verdict:
    if not account.tried:
        return skipped(text("not signed in: sign-in is interactive"), text("Run `mst-readiness account`."))
    if account.error:
        return findings.SIGN_IN_FAILED(error=account.error, hint=account.hint)
    return passed(account.name or text("signed in"))


def _unusable(account: AccountFacts) -> Verdict | None:
    return skipped(_AWAY) if not account.tried or account.error else None


@CHECKS.add(
    "account-role",
    "Role",
    passes=(
        "The token contains Intune Administrator or Global Administrator. No other claim is "
        "shown, and never the token."
    ),
)
def _role(account: AccountFacts) -> Verdict:
    if away := _unusable(account):
        return away
    if account.roles is None:
        return findings.ROLE_UNKNOWN()
    held = [name for role, name in _ROLES.items() if role in account.roles]
    if held:
        return passed(", ".join(held))
    return findings.ROLE_MISSING()


@CHECKS.add(
    "account-licence",
    "Intune licence",
    passes=(
        "Intune Plan 1 is among the account's licences. Unknown for applications, and for an account with "
        "other plans of Intune only."
    ),
)
def _licence(account: AccountFacts) -> Verdict:
    if away := _unusable(account):
        return away
    if account.licensed is None:
        return findings.LICENCE_UNKNOWN()
    if account.licensed:
        return passed(text("the account has an Intune licence"))
    return findings.LICENCE_MISSING()


@CHECKS.add("account-sites", "Sites", passes="The tenant has a site.")
def _sites(account: AccountFacts) -> Verdict:
    if away := _unusable(account):
        return away
    if account.sites is None:
        return findings.SITES_UNKNOWN()
    if account.sites:
        return passed(", ".join(account.sites))
    return findings.SITES_MISSING()


@CHECKS.add(
    "account-gateway-app",
    "Gateway app for Conditional Access",
    Severity.RECOMMENDED,
    passes=(
        'The service principal "Microsoft Tunnel Gateway", which Conditional Access needs, exists'
        " in the tenant."
    ),
)
def _gateway_app(account: AccountFacts) -> Verdict:
    if away := _unusable(account):
        return away
    if account.gateway_application is None:
        return findings.GATEWAY_APP_UNKNOWN()
    if account.gateway_application:
        return passed(text("Microsoft Tunnel Gateway is in the tenant"))
    return findings.GATEWAY_APP_MISSING()
