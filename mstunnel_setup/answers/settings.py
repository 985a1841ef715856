"""Every setting once: its place in the answer file, its option, and its environment variables."""

from collections.abc import Mapping
from dataclasses import dataclass

from mstunnel_setup.base.text import text


@dataclass(frozen=True)
class Setting:
    """One setting.

    `path` is its place in the answer file (`tenant.ca_file`), `option` the option that sets it or empty,
    `flag` the value that the option stands for when it takes none, `secret_file` whether the option takes
    the path of a file that holds a secret, `section` whether its keys are free, which no variable can hold.
    """

    path: str
    option: str = ""
    flag: str = ""
    secret_file: bool = False
    section: bool = False

    @property
    def variable(self) -> str:
        """The environment variable: MSTUNNEL_ and the option, or the path where there is no option."""
        name = self.option.removeprefix("--") or self.path
        return "MSTUNNEL_" + name.upper().replace("-", "_").replace(".", "_")

    def ways(self) -> str:
        """How to give the setting, for a hint."""
        option = f"{self.option}, " if self.option else ""
        return text(
            "{option}{variable} or `{path}` in the answer file",
            option=option,
            variable=self.variable,
            path=self.path,
        )


SETTINGS = (
    Setting("eula", "--accept-eula", flag="accept"),
    Setting("mode", "--rootless", flag="rootless"),
    Setting("account", "--account"),
    Setting("engine", "--engine"),
    Setting("bridge"),
    Setting("server_name"),
    Setting("tenant.cloud"),
    Setting("tenant.authority"),
    Setting("tenant.graph"),
    Setting("tenant.ca_file", "--ca-file"),
    Setting("tenant.ca_pem"),
    Setting("tenant.id"),
    Setting("tenant.issuer"),
    Setting("sign_in.method"),
    Setting("sign_in.client_id"),
    Setting("sign_in.client_secret"),
    Setting("sign_in.certificate"),
    Setting("sign_in.key"),
    Setting("sign_in.pfx"),
    Setting("sign_in.passphrase"),
    Setting("sign_in.token_file", "--token-file"),
    Setting("identity.credential"),
    Setting("identity.client_id"),
    Setting("identity.certificate"),
    Setting("identity.key"),
    Setting("identity.pfx"),
    Setting("identity.passphrase"),
    Setting("identity.client_secret"),
    Setting("site", "--site"),
    Setting("deployment"),
    Setting("left_record"),
    Setting("certificate.chain", "--cert"),
    Setting("certificate.key", "--key"),
    Setting("certificate.pfx", "--pfx"),
    Setting("certificate.passphrase", "--passphrase-file", secret_file=True),
    Setting("environment", section=True),
    Setting("images.server"),
    Setting("images.agent"),
    Setting("images.registry"),
    Setting("images.archive", "--offline"),
    Setting("authentication"),
    Setting("authentication_also"),
    Setting("devices.ca_file"),
    Setting("devices.crl_file"),
    Setting("radius.servers"),
    Setting("radius.secret"),
    Setting("radius.nas_identifier"),
    Setting("client_to_client"),
    Setting("proxy_protocol_from"),
    Setting("token.version"),
    Setting("token.scope"),
    Setting("token.clients"),
    Setting("token.maximum_lifetime"),
    Setting("token.required_claims", section=True),
)
BY_PATH: Mapping[str, Setting] = {setting.path: setting for setting in SETTINGS}
