"""Step `sign-in`: an administrator's sign-in for the installation, the server's own identity afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.base.errors import SignInError, TenantError
from mstunnel_setup.base.text import text
from mstunnel_setup.install import tenant_access
from mstunnel_setup.install.context import Context
from mstunnel_setup.tenant.graph import has_intune
from mstunnel_setup.tenant.sign_in_errors import LICENCE_MISSING
from mstunnel_setup.tenant.wire import USER_READ
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.step import Step


@dataclass(frozen=True)
class AdministratorSignIn:
    """With which application an administrator signed in; empty when the method needs none to be named."""

    client_id: str


def _gather(context: Context) -> AdministratorSignIn:
    if not context.cache.administrator:
        registered = tenant_access.registered(context.receipt)
        if not (registered and _signed_in_as_server(context)):
            as_registrar(context)
    return AdministratorSignIn(context.answers.sign_in.client_id or "")


def as_administrator(context: Context, further: Sequence[str] = ()) -> None:
    """Sign in as an administrator, once in a run: even where this server's own identity would do.

    For what removes that identity. `further` are permissions to ask for. Raises SignInError.
    """
    if not context.cache.administrator:
        context.cache.graph = tenant_access.administrator(context, further)
        context.cache.administrator = True


def as_registrar(context: Context) -> None:
    """Sign in as an administrator who can register a server, before anything is changed for it.

    Raises SignInError, also for an account that clearly has no licence of Intune.
    """
    as_administrator(context, (USER_READ,))
    graph = context.host.graph
    if not graph.for_person:
        context.note(
            "Licence of Intune not checked: the token is an application's, and only people have licences."
        )
        return
    try:
        licensed = has_intune(graph.licences())
    except (SignInError, TenantError) as error:
        context.note(text("Licence of Intune not checked: {problem}", problem=error.message))
        return
    if licensed is None:
        context.note("Licence of Intune not recognised: the account has other plans than Intune Plan 1.")
    elif not licensed:
        context.fail(LICENCE_MISSING(detail=text(": Graph lists none among the licences of the account")))


def _signed_in_as_server(context: Context) -> bool:
    """Sign in as this server; False when the tenant no longer knows it."""
    try:
        graph = tenant_access.own_identity(context)
        graph.sites()
    except SignInError as error:
        context.prompter.say(
            text(
                "This server's own sign-in is refused ({message}); an administrator is needed.",
                message=error.message,
            )
        )
        return False
    context.cache.graph = graph
    return True


def _decide(signed_in: AdministratorSignIn) -> Sequence[Action]:
    """Signing in changes nothing on the host; a client id that was typed is remembered."""
    return (StoreAnswer(name="sign_in.client_id", value=signed_in.client_id),) if signed_in.client_id else ()


STEP = Step("sign-in", text("Sign-in to the tenant"), _gather, _decide, missing=tenant_access.missing)
