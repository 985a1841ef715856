"""An administrator's session with the tenant: sign-in, and confirmation of deletions."""

import os
from functools import partial
from typing import Final

from mst_admin.approvals import ApprovalHttp
from mst_admin.change_options import JUSTIFICATION
from mst_admin.kept_sign_in import ForgettingHttp, KeptSignIn, sign_out
from mstunnel_setup.answers.load import load
from mstunnel_setup.answers.merge import Answers, merge, require
from mstunnel_setup.answers.rules import needed_to_sign_in
from mstunnel_setup.answers.secret import reveal
from mstunnel_setup.answers.values import GRAPH_COMMAND_LINE_TOOLS
from mstunnel_setup.base import paths
from mstunnel_setup.base.errors import CA_FILE_MISSING, SetupError, UsageError
from mstunnel_setup.base.result import Report, Result
from mstunnel_setup.base.text import text
from mstunnel_setup.base.values import JsonObject
from mstunnel_setup.install.run_answers import earlier_answers
from mstunnel_setup.install.tenant_sign_in import CLIENT_ID_QUESTION, cloud_of, roots_of, sign_in
from mstunnel_setup.io.errors import FileError
from mstunnel_setup.io.http import HttpSession
from mstunnel_setup.io.http_port import HttpPort
from mstunnel_setup.io.operator import Operator, Settings
from mstunnel_setup.tenant.graph_admin import AdminGraph
from mstunnel_setup.tenant.token_sources import TokenSource
from mstunnel_setup.tenant.wire import CONFIGURATION_READ, CONFIGURATION_READ_WRITE
from mstunnel_setup.transaction.journal import Journal

READING: Final = (CONFIGURATION_READ,)
CHANGING: Final = (CONFIGURATION_READ_WRITE,)
_ALL_GRANTED: Final = (".default",)
"""The scope for all permissions granted to an application; Graph's error names a missing one."""

_TENANT: Final = ("tenant.cloud", "tenant.authority", "tenant.graph")


def open_tenant(
    operator: Operator, settings: Settings, permissions: tuple[str, ...] = CHANGING
) -> AdminGraph:
    """Sign in to the tenant that the answers name (options, MSTUNNEL_ variables, answer file).

    Without answers, use the tenant of the installation on this host. A device code requests `permissions`; a
    person's token is stored for the next commands. `settings` may have the justification for changes that
    need an approval. Raises UsageError for invalid or missing answers, SignInError, NetworkError.
    """
    justification = str(settings.get(JUSTIFICATION, ""))
    given = _answers(operator, {path: value for path, value in settings.items() if path != JUSTIFICATION})
    if not operator.console.interactive:
        has_pfx = given.sign_in.pfx is not None
        require(given, needed_to_sign_in(given.sign_in.method, cloud=given.tenant.cloud, has_pfx=has_pfx))
    clock, ca_file = operator.clock, given.tenant.ca_file
    if ca_file is not None and operator.files.read_given(ca_file) is None:
        raise CA_FILE_MISSING(path=ca_file)
    try:
        roots = roots_of(operator.files, given.tenant.ca_pem)
    except FileError:
        # This account may lack permission to read the certificates below ca-trust.
        roots = given.tenant.ca_pem or ""
    http, where = HttpSession(clock, ca_file, roots=roots), cloud_of(given)
    application = given.client_id
    if given.sign_in.method == "device-code" and not application:
        application = operator.console.ask(CLIENT_ID_QUESTION)
    own = application not in {None, GRAPH_COMMAND_LINE_TOOLS}

    def enter() -> TokenSource:
        return sign_in(
            given,
            http,
            clock,
            operator.console,
            operator.files.given,
            permissions=_ALL_GRANTED if own else permissions,
            client_id=lambda: application or operator.console.ask(CLIENT_ID_QUESTION),
            secret=partial(reveal, files=operator.files, protect=operator.secrets.register),
        )

    requests: HttpPort = http
    if set(CHANGING) <= set(permissions):
        requests = ApprovalHttp.of(http, f"{where.graph}/beta", operator.files, clock, justification)
    if given.sign_in.method != "device-code":
        return AdminGraph(requests, where, enter(), clock)
    identity = (where.authority, where.graph, given.tenant.id, str(application))
    kept = KeptSignIn.of(operator.files, clock, *identity)
    token = kept.source(permissions, enter, partial(_say_kept, operator))
    operator.secrets.register(token())
    return AdminGraph(ForgettingHttp(requests, kept), where, token, clock)


def _say_kept(operator: Operator, account: str) -> None:
    operator.console.say(
        "Signed in as {account} by an earlier command; `mst-admin sign-out` ends this.", account=account
    )


def _answers(operator: Operator, settings: Settings) -> Answers:
    """Return the answers of the command, with those of the local installation if none names a tenant."""
    file = None if operator.answers is None else load(operator.answers)
    given = merge(settings, os.environ, file)
    if any(given.origins[path].kind != "default" for path in _TENANT):
        return given
    earlier = _of_installation(operator)
    if not earlier:
        return given
    merged = merge(settings, os.environ, file, earlier)
    operator.console.say(
        "Tenant of the installation on this host: cloud {cloud} ({address}).",
        cloud=merged.tenant.cloud,
        address=cloud_of(merged).graph,
    )
    return merged


def _of_installation(operator: Operator) -> JsonObject:
    """Return the answers about the tenant of the local gateway; empty if they are missing or unreadable."""
    for state in dict.fromkeys((paths.STATE, paths.HOST_STATE)):
        try:
            receipt = Journal(operator.files, operator.clock, state).receipt
        except SetupError as error:
            operator.console.say(
                "The tenant of the installation on this host is not known ({reason}): signing in to the "
                "public cloud. For another one set MSTUNNEL_TENANT_CLOUD.",
                reason=error.message,
            )
            return {}
        if not receipt.entries:
            continue
        known = earlier_answers(receipt)
        wanted = {
            path: value
            for path, value in known.items()
            if path.startswith("tenant.") or path == "sign_in.client_id"
        }
        return {"tenant.cloud": "public", **wanted}
    return {}


class SignOutReport(Report):
    """The kept sign-ins that were removed."""

    removed: int


def forget_sign_ins(operator: Operator) -> Result[SignOutReport]:
    """Remove the tokens that `mst-admin` stored for this user."""
    count = sign_out(operator.files)
    words = text("Signed out.") if count else text("Nobody was signed in.")
    return Result("changed" if count else "unchanged", SignOutReport(removed=count), text=[words])


def make_sure(operator: Operator, question: str, *, yes: bool) -> None:
    """Raise UsageError `not-confirmed` unless the user confirms, at the prompt or by an option."""
    if yes:
        return
    if not operator.console.interactive or not operator.console.confirm(question):
        raise UsageError(
            "not-confirmed",
            "not confirmed, so nothing was changed: {question}",
            hint="Answer yes, or use --yes.",
            question=question,
        )
