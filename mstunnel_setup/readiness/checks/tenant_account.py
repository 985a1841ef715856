"""Group `account`: may this account register a server? Role and licence, never the token."""

from mstunnel_setup.base.text import text
from mstunnel_setup.readiness.facts.tenant_account import AccountFacts
from mstunnel_setup.readiness.model import Checks, Group, Verdict, passed, problem, skipped, unknown
from mstunnel_setup.tenant.roles import GLOBAL_ADMINISTRATOR, INTUNE_ADMINISTRATOR

CHECKS = Checks(Group.ACCOUNT)

_ROLES = {
    INTUNE_ADMINISTRATOR: text("Intune Administrator"),
    GLOBAL_ADMINISTRATOR: text("Global Administrator"),
}
_AWAY = text("not signed in")


@CHECKS.add("account-sign-in", "Sign-in")
def _sign_in(account: AccountFacts) -> Verdict:
    """Sign-in works with the method in the answer file, by default a device code.

    Without a sign-in neither role nor sites can be read, and no server can be registered.

    Run `mst-readiness account` again and complete the sign-in; `mst-cli help sign-in` has the methods.
    """
    if not account.tried:
        return skipped("not signed in: sign-in is interactive", "Run `mst-readiness account`.")
    if account.error:
        return problem(text(account.error), hint=account.hint)
    return passed(account.name or text("signed in"))


def _unusable(account: AccountFacts) -> Verdict | None:
    return skipped(_AWAY) if not account.tried or account.error else None


@CHECKS.add("account-role", "Role")
def _role(account: AccountFacts) -> Verdict:
    """Graph lets the account read the sites, and the token lists Intune Administrator or Global
    Administrator. With a custom role of Intune the result is unknown: Graph shows only at the registration
    whether the role may create servers. No other part of the token is shown.

    Registering a server takes one of these roles, or an Intune role with Create of the permission group
    Microsoft Tunnel Gateway; without one the installation is refused.

    Assign or activate one of these roles, then sign in again.
    """
    if away := _unusable(account):
        return away
    if account.denied:
        return problem(account.denied, hint=account.hint)
    held = [name for role, name in _ROLES.items() if role in (account.roles or ())]
    if held:
        return passed(", ".join(held))
    if account.sites is None:
        return unknown(
            "the token names no roles, and the sites cannot be read",
            hint="Check in Entra that the account has the active role Intune Administrator.",
        )
    return unknown(
        "Graph lets the account read sites; the token lists neither Intune Administrator nor Global "
        "Administrator",
        hint="Check in the admin center that a role of the account has Create of the permission group "
        "Microsoft Tunnel Gateway.",
    )


@CHECKS.add("account-licence", "Intune licence")
def _licence(account: AccountFacts) -> Verdict:
    """Intune Plan 1 is among the account's licences. Unknown for applications, and for an account with other
    plans of Intune only.

    Intune refuses an account without a licence, whatever its role.
    """
    if away := _unusable(account):
        return away
    if account.licensed is None:
        return unknown(
            "the tenant does not report it",
            hint="Check in the admin center that the account has an Intune licence.",
        )
    if account.licensed:
        return passed("the account has an Intune licence")
    return problem("the account has no Intune licence", hint="Assign one: registering a server requires it.")


@CHECKS.add("account-sites", "Sites")
def _sites(account: AccountFacts) -> Verdict:
    """The tenant has a site.

    A server joins a site, which holds its public address and its server configuration.
    """
    if away := _unusable(account):
        return away
    if account.sites is None:
        return unknown(
            "the sites cannot be read", hint="Check in the admin center that there is a site to join."
        )
    if account.sites:
        return passed(", ".join(account.sites))
    return problem(
        "the tenant has no site",
        hint="Create a server configuration, then a site: in the admin center, or with `mst-admin config "
        "create` and `mst-admin site create`.",
    )


@CHECKS.add("account-gateway-app", "Gateway app for Conditional Access", "recommended")
def _gateway_app(account: AccountFacts) -> Verdict:
    """The service principal "Microsoft Tunnel Gateway", which Conditional Access needs, exists in the tenant.

    Conditional Access policies for the tunnel are assigned to this application.
    """
    if away := _unusable(account):
        return away
    if account.gateway_application is None:
        return unknown(
            "the applications of the tenant cannot be read",
            hint="Check with `mst-admin conditional-access status`.",
        )
    if account.gateway_application:
        return passed("Microsoft Tunnel Gateway is in the tenant")
    return problem(
        "Microsoft Tunnel Gateway is not in the tenant",
        hint="Conditional Access policies need it: run `mst-admin conditional-access provision`.",
    )
