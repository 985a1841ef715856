"""Step `sign-in`: sign in as an administrator; once the server is registered, sign in as the server.

Commands that reach the tenant later sign in as an administrator or as an application.
"""

from collections.abc import Collection, Sequence

from mstunnel_setup.actions.agent_sign_in import UseAppIdentity
from mstunnel_setup.actions.certificates import TESTED_SHA256, CreateAgentCredential
from mstunnel_setup.actions.store_answer import StoreAnswer
from mstunnel_setup.actions.tenant_objects import CreateAppIdentity, RegisterServer
from mstunnel_setup.answers.rules import needed_to_sign_in
from mstunnel_setup.base.errors import SignInError, TenantError, UsageError
from mstunnel_setup.base.text import text, with_hint
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.install import certificate_source
from mstunnel_setup.install.run import Run
from mstunnel_setup.install.steps import environment
from mstunnel_setup.install.tenant_sign_in import CLIENT_ID_QUESTION, cloud_of, roots_of, sign_in
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.tenant.client_credential import ClientSecret, Credential, own_credential
from mstunnel_setup.tenant.graph import Graph, has_intune
from mstunnel_setup.tenant.sign_in import (
    PREPARED_PERMISSIONS,
    SETUP_PERMISSIONS,
    SignIn,
)
from mstunnel_setup.tenant.sign_in_errors import LICENCE_MISSING
from mstunnel_setup.tenant.wire import USER_READ
from mstunnel_setup.transaction.action import Action
from mstunnel_setup.transaction.receipt import Receipt
from mstunnel_setup.transaction.step import Step


def _gather(run: Run) -> str:
    """Return the client id to sign in with; empty if the method needs none."""
    signed_in = run.administrator
    if not signed_in and registered(run.receipt):
        try:
            graph = own_identity(run)
            graph.sites()
        except SignInError as error:
            run.console.say(
                "This server's own sign-in is refused ({message}); an administrator is needed.",
                message=error.message,
            )
        else:
            run.graph, signed_in = graph, True
    if not signed_in:
        as_registrar(run)
    return run.answers.sign_in.client_id or ""


def as_administrator(run: Run, further: Sequence[str] = ()) -> None:
    """Sign in as an administrator, once in a run, even if this server could sign in itself.

    Removing this server's identity needs it. `further` are additional permissions. Raises SignInError.
    """
    if not run.administrator:
        run.graph = administrator(run, further)
        run.administrator = True


def administrator(run: Run, further: Sequence[str] = ()) -> Graph:
    """Sign in as an administrator, with the method of the answers, and return the tenant.

    `further` are permissions that a device code requests besides the usual ones. A person without a role in
    Intune may sign in with another account. Raises SignInError.
    """
    http, host = http_session(run), run.host
    usual = PREPARED_PERMISSIONS if run.answers.identity.client_id else SETUP_PERMISSIONS
    permissions = (*usual, *further)
    while True:
        token = sign_in(
            run.answers,
            http,
            host.clock,
            run.console,
            host.files,
            permissions=permissions,
            client_id=lambda: client_id(run, permissions),
            secret=run.secret,
        )
        graph = Graph(http, cloud_of(run.answers), token, host.clock)
        try:
            # An account that cannot read the sites cannot change them; this request fails before any change.
            graph.sites()
        except SignInError as error:
            if not _other_account(run, error):
                raise
        else:
            return graph


def _other_account(run: Run, error: SignInError) -> bool:
    """Ask whether to sign in with another account after `error`; return the answer."""
    if not run.console.interactive or run.answers.sign_in.method != "device-code":
        return False
    run.console.say(with_hint(error.message, error.hint))
    try:
        return run.console.confirm("Sign in with another account")
    except UsageError as ended:
        raise error from ended


def client_id(run: Run, permissions: Sequence[str]) -> str:
    """Return the client id to sign in with; a person is prompted in a cloud without a multi-tenant one."""
    if run.answers.client_id is None:
        return run.answer("sign_in.client_id", CLIENT_ID_QUESTION)
    if run.answers.sign_in.client_id is None:
        run.note(
            "The page may ask for your consent to Microsoft Graph Command Line Tools, for "
            "{permissions}. To use your own registration instead, stop and set "
            "MSTUNNEL_SIGN_IN_CLIENT_ID to its client id.",
            permissions=", ".join(permissions),
        )
    return run.answers.client_id


def as_registrar(run: Run) -> None:
    """Sign in as an administrator who can register a server, before the first change.

    Raises SignInError, also for an account that clearly has no Intune licence.
    """
    as_administrator(run, (USER_READ,))
    graph = run.host.graph
    if not graph.for_person:
        run.note(
            "Intune licence not checked: the token belongs to an application, and only people have licences."
        )
        return
    try:
        licensed = has_intune(graph.licences())
    except (SignInError, TenantError) as error:
        run.note("Intune licence not checked: {problem}", problem=error.message)
        return
    if licensed is None:
        run.note("Intune licence not recognised: the account has plans other than Intune Plan 1.")
    elif not licensed:
        run.fail(LICENCE_MISSING(detail=text(": Graph lists none among the licences of the account")))


def http_session(run: Run, *, timeout: float = 30, deadline: float = 120) -> HttpSession:
    """Open a session that trusts the system's roots, `tenant.ca_file` and those below ca-trust.

    Times are in seconds. Proxies come from the shell, else from `env.sh`. Raises NetworkError if a root
    cannot be read.
    """
    environment.adopt_proxies(run)
    tenant = run.answers.tenant
    roots = roots_of(run.files, tenant.ca_pem)
    return HttpSession(run.host.clock, tenant.ca_file, roots=roots, timeout=timeout, deadline=deadline)


def own_identity(run: Run) -> Graph:
    """Return the tenant, signed in as this server. Raises SignInError."""
    known = identity(run.receipt) or {}
    made = result(run.receipt, CreateAgentCredential.kind) or {}
    tested = str(made.get(TESTED_SHA256, ""))
    credential = own_credential(run.files, unencrypted=True, tested=tested)
    return as_application(run, str(known["tenant_id"]), str(known["app_id"]), credential)


def as_application(run: Run, tenant_id: str, app_id: str, credential: Credential | ClientSecret) -> Graph:
    """Return the tenant, signed in as an application. Raises SignInError."""
    http, clock, where = http_session(run), run.host.clock, cloud_of(run.answers)
    source = SignIn(http, clock, where, tenant_id, app_id).application(credential)
    return Graph(http, where, source, clock, signed_in_as=app_id)


def registered(receipt: Receipt) -> bool:
    """Return whether this server has an application in the tenant and a record in a site."""
    return identity(receipt) is not None and result(receipt, RegisterServer.kind) is not None


def identity(receipt: Receipt) -> JsonObject | None:
    """Return the tenant's data of this server's application; None until it is created."""
    return result(receipt, CreateAppIdentity.kind) or result(receipt, UseAppIdentity.kind)


def result(receipt: Receipt, kind: str) -> JsonObject | None:
    """Return the outputs of the finished action of this kind, if any."""
    found = [entry for entry in receipt.entries.values() if entry.versions[-1]["kind"] == kind]
    return next((entry.outputs for entry in found if entry.finished), None)


def _decide(client_id: str) -> Sequence[Action]:
    """Return the action that stores a typed client id; signing in itself changes nothing on the host."""
    return (StoreAnswer(name="sign_in.client_id", value=client_id),) if client_id else ()


def _missing(run: Run) -> Sequence[str]:
    if registered(run.receipt):
        return ()
    given, cloud = run.answers.sign_in, run.answers.tenant.cloud
    return needed_to_sign_in(given.method, cloud=cloud, has_pfx=given.pfx is not None)


def _refuse(run: Run, steps: Collection[str]) -> None:
    """Sign in before the first change of an unattended run. Raises SignInError.

    An account without role or licence thus leaves the host unchanged. A run that waits for a certificate does
    not sign in, and an installation that has begun signs in at its step.
    """
    awaited = "certificate" in steps and certificate_source.present(run) is None
    if not (run.receipt.entries or run.console.interactive or awaited):
        environment.STEP.gather(run)
        STEP.gather(run)


STEP = Step("sign-in", text("Sign-in to the tenant"), _gather, _decide, missing=_missing, refuse=_refuse)
