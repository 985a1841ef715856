"""How a run reaches the tenant: as an administrator, or as this server itself."""

import os
from collections.abc import Sequence

from cryptography.hazmat.primitives.serialization import Encoding

from mstunnel_setup import paths
from mstunnel_setup.engine.receipt import Receipt
from mstunnel_setup.engine.values import JsonObject
from mstunnel_setup.gateway import env_file
from mstunnel_setup.host.files import Files
from mstunnel_setup.host.http import HttpSession
from mstunnel_setup.steps import environment
from mstunnel_setup.steps.context import Context
from mstunnel_setup.tenant.actions import CreateAppIdentity, RegisterServer
from mstunnel_setup.tenant.clouds import Cloud, cloud
from mstunnel_setup.tenant.credential import Credential, read_credential
from mstunnel_setup.tenant.graph import Graph
from mstunnel_setup.tenant.sign_in import DeviceCode, SignIn
from mstunnel_setup.tenant.token_sources import AccessToken, TokenFile

_PROXIES = ("http_proxy", "https_proxy", "no_proxy")


def cloud_of(context: Context) -> Cloud:
    """The cloud of the tenant. Raises UsageError."""
    tenant = context.answers.tenant
    return cloud(tenant.cloud, tenant.authority, tenant.graph)


def http_session(context: Context, *, timeout: float = 30, deadline: float = 120) -> HttpSession:
    """A session that trusts the system, `tenant.ca_file` and what lies below ca-trust (times in seconds).

    Proxies come from the shell, else from `env.sh`. Raises NetworkError when a root cannot be read.
    """
    for name, value in env_file.parse(environment.content(context).decode(), paths.ENVIRONMENT).items():
        if name.lower() in _PROXIES:
            os.environ.setdefault(name, value)
    roots = "".join(root.public_bytes(Encoding.PEM).decode() for root in context.world.private_roots)
    ca_file = context.answers.tenant.ca_file
    return HttpSession(context.world.clock, ca_file, roots=roots, timeout=timeout, deadline=deadline)


def registered(receipt: Receipt) -> bool:
    """Whether this server has its own identity in the tenant and a record in a site."""
    return identity(receipt) is not None and result(receipt, RegisterServer.kind) is not None


def identity(receipt: Receipt) -> JsonObject | None:
    """What the tenant returned for this server's application, once it is finished."""
    return result(receipt, CreateAppIdentity.kind)


def result(receipt: Receipt, kind: str) -> JsonObject | None:
    """The results of the finished action of this kind, if any."""
    found = [entry for entry in receipt.entries.values() if entry.versions[-1]["kind"] == kind]
    return next((entry.outputs for entry in found if entry.finished), None)


def administrator(context: Context) -> Graph:
    """The tenant with an administrator's sign-in, by the method of the answers. Raises SignInError."""
    http = http_session(context)
    where = cloud_of(context)
    return Graph(http, where, _token_source(context, http, where), context.world.clock)


def own_identity(context: Context) -> Graph:
    """The tenant with this server's own identity. Raises SignInError."""
    known = identity(context.receipt) or {}
    http = http_session(context)
    where = cloud_of(context)
    sign_in = SignIn(http, context.world.clock, where, str(known["tenant_id"]), str(known["app_id"]))
    source = sign_in.certificate(read_credential(context.world.files, paths.AGENT_CREDENTIAL))
    return Graph(http, where, source, context.world.clock, signed_in_as=str(known["app_id"]))


def missing(context: Context) -> Sequence[str]:
    """Settings that an unattended sign-in needs."""
    if registered(context.receipt) and not context.administrator:
        return ()
    answers = context.answers.sign_in
    certificate = () if answers.pfx else ("sign_in.certificate", "sign_in.key")
    needed = {
        "device-code": ("sign_in.client_id",),
        "client-secret": ("sign_in.client_id", "sign_in.client_secret"),
        "client-certificate": ("sign_in.client_id", *certificate),
        "token-file": ("sign_in.token_file",),
    }
    return needed[answers.method]


def _token_source(context: Context, http: HttpSession, where: Cloud) -> AccessToken:
    answers = context.answers.sign_in
    if answers.method == "token-file":
        return TokenFile(context.world.files, str(answers.token_file), context.world.clock)
    client_id = context.answer("sign_in.client_id", "Application (client) id to sign in with")
    sign_in = SignIn(http, context.world.clock, where, context.answers.tenant.id, client_id)
    if answers.method == "device-code":
        return sign_in.device_code(lambda code: _show(context, code))
    if answers.method == "client-secret":
        return sign_in.client_secret(context.secret(answers.client_secret))
    return sign_in.certificate(_credential(context))


def _show(context: Context, code: DeviceCode) -> None:
    left = (code.expires_at - context.world.clock.now()).total_seconds()
    context.prompter.device_code(code.url, code.code, left)


def _credential(context: Context) -> Credential:
    answers = context.answers.sign_in
    files = Files()
    if answers.pfx:
        return read_credential(files, answers.pfx, context.secret(answers.passphrase))
    return read_credential(files, str(answers.certificate), key_path=str(answers.key))


def in_tenant(receipt: Receipt) -> bool:
    """Whether something of ours may stand in the tenant, be it half made."""
    kinds = {str(entry.versions[-1]["kind"]) for entry in receipt.entries.values()}
    return not kinds.isdisjoint({CreateAppIdentity.kind, RegisterServer.kind})
