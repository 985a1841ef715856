"""How a command gets at a tenant: from a chosen way to sign in to tokens for Graph."""

from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from mstunnel_setup.base.text import text
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files
from mstunnel_setup.io.http_port import HttpPort
from mstunnel_setup.io.operator import Prompter
from mstunnel_setup.tenant.clouds import Cloud
from mstunnel_setup.tenant.credential import read_credential
from mstunnel_setup.tenant.sign_in import SETUP_PERMISSIONS, DeviceCode, SignIn
from mstunnel_setup.tenant.token_sources import AccessToken, TokenFile

CLIENT_ID_QUESTION: Final = text("Client id, or graph-command-line-tools")

Method: TypeAlias = Literal["device-code", "client-secret", "client-certificate", "token-file"]


@dataclass(frozen=True)
class Account:
    """Who signs in, and how. Paths are full paths of this machine; only what `method` uses is looked at."""

    method: Method
    tenant: str = "organizations"
    client_id: str = ""
    client_secret: str = field(default="", repr=False)
    certificate: str = ""
    key: str = ""
    pfx: str = ""
    passphrase: str = field(default="", repr=False)
    token_file: str = ""


@dataclass(frozen=True)
class Authenticator:
    """What signing in goes through; `console` shows a person where to enter which device code."""

    http: HttpPort = field(repr=False)
    clock: Clock = field(repr=False)
    cloud: Cloud
    console: Prompter = field(repr=False)
    token_files: Files = field(repr=False)
    permissions: tuple[str, ...] = SETUP_PERMISSIONS

    def enter(self, account: Account) -> AccessToken:
        """Sign in by the account's method. Raises SignInError, UsageError (files), NetworkError."""
        if account.method == "token-file":
            return TokenFile(self.token_files.given, account.token_file, self.clock)
        sign_in = SignIn(self.http, self.clock, self.cloud, account.tenant, account.client_id)
        if account.method == "device-code":
            return sign_in.device_code(self._show, self.permissions, self.console.waiting)
        if account.method == "client-secret":
            return sign_in.client_secret(account.client_secret)
        given = self.token_files.given
        if account.pfx:
            return sign_in.certificate(read_credential(given, account.pfx, account.passphrase))
        return sign_in.certificate(read_credential(given, account.certificate, key_path=account.key))

    def _show(self, code: DeviceCode) -> None:
        left = (code.expires_at - self.clock.now()).total_seconds()
        self.console.device_code(code.url, code.code, left, code.complete_url)
