"""Step `sign-in`: an administrator's sign-in for the installation, the server's own identity afterwards."""

from collections.abc import Sequence
from dataclasses import dataclass

from mstunnel_setup.engine.action import Action
from mstunnel_setup.engine.step import Step
from mstunnel_setup.engine.store_answer import StoreAnswer
from mstunnel_setup.errors import SignInError
from mstunnel_setup.install import tenant_access
from mstunnel_setup.install.context import Context
from mstunnel_setup.install.ports import Ports


@dataclass(frozen=True)
class SignedIn:
    """With which application an administrator signed in; empty when the method needs none to be named."""

    client_id: str


def _gather(context: Context) -> SignedIn:
    if context.gathered.administrator:
        return SignedIn(context.answers.sign_in.client_id or "")
    if not tenant_access.registered(context.receipt) or not _own_identity(context):
        as_administrator(context)
    return SignedIn(context.answers.sign_in.client_id or "")


def as_administrator(context: Context) -> None:
    """Sign in as an administrator, once in a run: even where this server's own identity would do.

    For what removes that identity. Raises SignInError.
    """
    if not context.gathered.administrator:
        context.gathered.graph = tenant_access.administrator(context)
        context.gathered.administrator = True


def _own_identity(context: Context) -> bool:
    """Sign in as this server; False when the tenant no longer knows it."""
    try:
        graph = tenant_access.own_identity(context)
        graph.sites()
    except SignInError as error:
        context.prompter.say(
            f"This server's own sign-in is refused ({error.message}); an administrator is needed."
        )
        return False
    context.gathered.graph = graph
    return True


def _decide(signed_in: SignedIn) -> Sequence[Action[Ports]]:
    """Signing in changes nothing on the host; a client id that was typed is remembered."""
    return (StoreAnswer(name="sign_in.client_id", value=signed_in.client_id),) if signed_in.client_id else ()


STEP = Step("sign-in", "Sign-in to the tenant", _gather, _decide, missing=tenant_access.missing)
