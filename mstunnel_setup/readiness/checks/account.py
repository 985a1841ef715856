"""Group `account`: may this account register a server? Role and licence, never the token."""

from mstunnel_setup.readiness.facts import AccountFacts
from mstunnel_setup.readiness.model import (
    Check,
    Group,
    Severity,
    Verdict,
    check,
    passed,
    problem,
    skipped,
    unknown,
)
from mstunnel_setup.tenant.sign_in import GLOBAL_ADMINISTRATOR, INTUNE_ADMINISTRATOR

_ROLES = {INTUNE_ADMINISTRATOR: "Intune Administrator", GLOBAL_ADMINISTRATOR: "Global Administrator"}
_AWAY = "not signed in"


@check("account-sign-in", Group.ACCOUNT, "Sign-in")
def _sign_in(account: AccountFacts) -> Verdict:
    if not account.tried:
        return skipped("not signed in: sign-in is interactive", "Run `mst-readiness account`.")
    if account.error:
        return problem(account.error, account.hint)
    return passed(account.name or "signed in")


def _unusable(account: AccountFacts) -> Verdict | None:
    return skipped(_AWAY) if not account.tried or account.error else None


@check("account-role", Group.ACCOUNT, "Role")
def _role(account: AccountFacts) -> Verdict:
    if away := _unusable(account):
        return away
    if account.roles is None:
        return unknown(
            "the token names no roles",
            "Check in Entra that the account has the active role Intune Administrator.",
        )
    held = [name for role, name in _ROLES.items() if role in account.roles]
    if held:
        return passed(", ".join(held))
    return problem(
        "neither Intune Administrator nor Global Administrator",
        "Assign or activate one of these roles in Entra, then sign in again.",
    )


@check("account-licence", Group.ACCOUNT, "Intune licence")
def _licence(account: AccountFacts) -> Verdict:
    if away := _unusable(account):
        return away
    if account.licensed is None:
        return unknown(
            "the tenant does not report it",
            "Check in the admin center that the account has an Intune licence.",
        )
    if account.licensed:
        return passed("the account has an Intune licence")
    return problem("the account has no Intune licence", "Assign one: registering a server requires it.")


@check("account-sites", Group.ACCOUNT, "Sites")
def _sites(account: AccountFacts) -> Verdict:
    if away := _unusable(account):
        return away
    if account.sites is None:
        return unknown("the sites cannot be read", "Check in the admin center that there is a site to join.")
    if account.sites:
        return passed(", ".join(account.sites))
    return problem(
        "the tenant has no site",
        "Create a server configuration, then a site: in the admin center, or with `mst-admin config create` "
        "and `mst-admin site create`.",
    )


@check("account-gateway-app", Group.ACCOUNT, "Gateway app for Conditional Access", Severity.RECOMMENDED)
def _gateway_app(account: AccountFacts) -> Verdict:
    if away := _unusable(account):
        return away
    if account.gateway_application is None:
        return unknown(
            "the applications of the tenant cannot be read",
            "Check with `mst-admin conditional-access status`.",
        )
    if account.gateway_application:
        return passed("Microsoft Tunnel Gateway is in the tenant")
    return problem(
        "Microsoft Tunnel Gateway is not in the tenant",
        "Conditional Access policies need it: run `mst-admin conditional-access provision`.",
    )


CHECKS: tuple[Check, ...] = (_sign_in, _role, _licence, _sites, _gateway_app)
