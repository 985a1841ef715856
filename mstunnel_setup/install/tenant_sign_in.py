"""Sign-in to the tenant that the answers name, for the installation, `mst-admin` and `mst-readiness`."""

from collections.abc import Callable
from typing import Final

from mstunnel_setup.answers.model import AnswerFile
from mstunnel_setup.answers.secret import SecretReference
from mstunnel_setup.base.text import text
from mstunnel_setup.certificates.ca_trust import added_roots_pem
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http_port import HttpPort
from mstunnel_setup.io.operator import Prompter
from mstunnel_setup.tenant.client_credential import ClientSecret, read_credential
from mstunnel_setup.tenant.clouds import Cloud, cloud
from mstunnel_setup.tenant.sign_in import DeviceCode, SignIn
from mstunnel_setup.tenant.token_sources import TokenSource, token_file

CLIENT_ID_QUESTION: Final = text("Client id, or graph-command-line-tools")


def cloud_of(answers: AnswerFile) -> Cloud:
    """Return the cloud of the tenant. Raises UsageError."""
    return cloud(answers.tenant.cloud, answers.tenant.authority, answers.tenant.graph)


def roots_of(files: Files, ca_pem: str | None) -> str:
    """Return the roots (PEM) to trust besides the system's: those below ca-trust, and `ca_pem`."""
    return f"{added_roots_pem(files)}\n{ca_pem or ''}".strip()


def sign_in(
    answers: AnswerFile,
    http: HttpPort,
    clock: Clock,
    console: Prompter,
    token_files: Files,
    *,
    permissions: tuple[str, ...],
    client_id: Callable[[], str],
    secret: Callable[[SecretReference | None], str],
) -> TokenSource:
    """Sign in with the method that the answers name.

    `client_id` returns the application to sign in with, `secret` what a reference names (empty without one);
    they are called only when the method needs them. `permissions` are what a device code asks for.

    Raises SignInError, UsageError (answers, files), NetworkError.
    """
    given = answers.sign_in
    if given.method == "token-file":
        return token_file(token_files.given, given.token_file or "", clock)
    as_given = SignIn(http, clock, cloud_of(answers), answers.tenant.id, client_id())
    if given.method == "device-code":

        def show(code: DeviceCode) -> None:
            left = (code.expires_at - clock.now()).total_seconds()
            console.device_code(code.url, code.code, left, code.complete_url)

        return as_given.device_code(show, permissions, console.waiting)
    if given.method == "client-secret":
        return as_given.application(ClientSecret(secret(given.client_secret)))
    if given.pfx:
        credential = read_credential(token_files.given, given.pfx, secret(given.passphrase))
    else:
        credential = read_credential(token_files.given, given.certificate or "", key_path=given.key or "")
    return as_given.application(credential)
