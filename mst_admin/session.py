"""An administrator's session with the tenant: signed in, and asked before anything is deleted."""

import os
from functools import partial

from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.merge import merge, require
from mstunnel_setup.answers.rules import needed_to_sign_in
from mstunnel_setup.answers.secret import reveal
from mstunnel_setup.base.errors import CA_FILE_MISSING, UsageError
from mstunnel_setup.install.tenant_sign_in import CLIENT_ID_QUESTION, cloud_of, roots_of, sign_in
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.wire import CONFIGURATION_READ_WRITE


def open_tenant(
    operator: Operator, settings: Settings, permissions: tuple[str, ...] = (CONFIGURATION_READ_WRITE,)
) -> AdminGraph:
    """The tenant of the answers (options, MSTUNNEL_ variables, answer file), signed in to.

    Raises UsageError for answers that are wrong or missing, SignInError, NetworkError.
    """
    given = merge(settings, os.environ, None if operator.answers is None else load(operator.answers))
    if not operator.console.interactive:
        has_pfx = given.sign_in.pfx is not None
        require(given, needed_to_sign_in(given.sign_in.method, cloud=given.tenant.cloud, has_pfx=has_pfx))
    clock, ca_file = operator.clock, given.tenant.ca_file
    if ca_file is not None and operator.files.read_given(ca_file) is None:
        raise CA_FILE_MISSING(path=ca_file)
    try:
        roots = roots_of(operator.files, given.tenant.ca_pem)
    except FileError:
        # This account may not read those below ca-trust.
        roots = given.tenant.ca_pem or ""
    http = HttpSession(clock, ca_file, roots=roots)
    token = sign_in(
        given,
        http,
        clock,
        operator.console,
        operator.files.given,
        permissions=permissions,
        client_id=lambda: given.client_id or operator.console.ask(CLIENT_ID_QUESTION),
        secret=partial(reveal, files=operator.files, protect=operator.secrets.register),
    )
    return AdminGraph(http, cloud_of(given), token, clock)


def make_sure(operator: Operator, question: str, *, yes: bool) -> None:
    """Raise UsageError `not-confirmed` unless the person says yes, or has said so by an option."""
    if yes:
        return
    if not operator.console.interactive or not operator.console.confirm(question):
        raise UsageError(
            "not-confirmed",
            "not confirmed, so nothing was changed: {question}",
            hint="Answer yes, or use --yes.",
            question=question,
        )
