"""An administrator's session with the tenant: signed in, and asked before anything is deleted."""

import os

from mstunnel_setup.admin.errors import NOT_CONFIRMED
from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.merge import Answers, merge, require
from mstunnel_setup.answers.rules import needed_to_sign_in
from mstunnel_setup.answers.secret import SecretReference, resolve
from mstunnel_setup.host.errors import FileError
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.http import HttpSession
from mstunnel_setup.operator import Operator, Settings
from mstunnel_setup.tenant.authenticator import CLIENT_ID_QUESTION, Account, Authenticator
from mstunnel_setup.tenant.clouds import cloud
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.sign_in import DeviceCode
from mstunnel_setup.tenant.wire import (
    CONFIGURATION_READ_WRITE,
)
from mstunnel_setup.tls.ca_trust import added_roots_pem


def open_tenant(
    operator: Operator, settings: Settings, permissions: tuple[str, ...] = (CONFIGURATION_READ_WRITE,)
) -> AdminGraph:
    """The tenant of the answers (options, MSTUNNEL_ variables, answer file), signed in to.

    Raises UsageError for answers that are wrong or missing, SignInError, NetworkError.
    """
    given = _answers(operator, settings)
    clock = operator.clock
    roots = f"{_added_roots(operator.files)}\n{given.tenant.ca_pem or ''}".strip()
    http = HttpSession(clock, given.tenant.ca_file, roots=roots)
    where = cloud(given.tenant.cloud, given.tenant.authority, given.tenant.graph)

    def show(code: DeviceCode) -> None:
        left = (code.expires_at - clock.now()).total_seconds()
        operator.console.device_code(code.url, code.code, left, code.complete_url)

    files, waiting = operator.files, operator.console.waiting
    entrance = Authenticator(http, clock, where, show, waiting, files.given, permissions)
    return AdminGraph(http, where, entrance.enter(_account(operator, given)), clock)


def _added_roots(files: Files) -> str:
    """The roots below ca-trust, on a gateway; none where this account may not read them."""
    try:
        return added_roots_pem(files)
    except FileError:
        return ""


def _answers(operator: Operator, settings: Settings) -> Answers:
    path = operator.answers
    given = merge(settings, os.environ, None if path is None else load(path))
    if not operator.console.interactive:
        has_pfx = given.sign_in.pfx is not None
        require(given, needed_to_sign_in(given.sign_in.method, cloud=given.tenant.cloud, has_pfx=has_pfx))
    return given


def _account(operator: Operator, given: Answers) -> Account:
    answers = given.sign_in
    client_id = given.client_id or ""
    if not client_id and answers.method != "token-file":
        client_id = operator.console.ask(CLIENT_ID_QUESTION)
    return Account(
        method=answers.method,
        tenant=given.tenant.id,
        client_id=client_id,
        client_secret=_secret(operator, answers.client_secret),
        certificate=answers.certificate or "",
        key=answers.key or "",
        pfx=answers.pfx or "",
        passphrase=_secret(operator, answers.passphrase),
        token_file=answers.token_file or "",
    )


def _secret(operator: Operator, reference: SecretReference | None) -> str:
    if reference is None:
        return ""
    value = resolve(reference, operator.files.given, os.environ).reveal()
    operator.secrets.register(value)
    return value


def make_sure(operator: Operator, question: str, *, yes: bool) -> None:
    """Raise UsageError `not-confirmed` unless the person says yes, or has said so by an option."""
    if yes:
        return
    if not operator.console.interactive or not operator.console.confirm(question):
        raise NOT_CONFIRMED(question=question)
