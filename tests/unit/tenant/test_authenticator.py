"""From a chosen way to sign in to tokens; the ways themselves are tested beside them."""

from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.io.clock import SystemClock
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.authenticator import Account, Authenticator
from mstunnel_setup.tenant.clouds import CLOUDS


def _entrance(root: Path) -> Authenticator:
    unused: Any = None
    return Authenticator(unused, SystemClock(), CLOUDS["public"], unused, Files(root))


def test_a_token_file_is_read_on_this_machine_without_any_request(tmp_path: Path) -> None:
    """As every file that an administrator names, it does not lie below `--root`."""
    (tmp_path / "token").write_text("a-token\n")
    source = _entrance(tmp_path / "root").enter(Account("token-file", token_file=str(tmp_path / "token")))
    assert source.token() == "a-token"


def test_an_application_needs_its_tenant(tmp_path: Path) -> None:
    account = Account("client-secret", client_id="app", client_secret="hidden-secret")
    with pytest.raises(SignInError) as caught:
        _entrance(tmp_path).enter(account)
    assert caught.value.code == "tenant-missing"


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    account = Account("client-certificate", "contoso.com", "app", pfx=str(tmp_path / "app.pfx"))
    with pytest.raises(SignInError, match=r"app\.pfx"):
        _entrance(tmp_path).enter(account)


def test_secrets_do_not_show() -> None:
    shown = repr(Account("client-secret", client_secret="hidden-secret", passphrase="hidden-passphrase"))
    assert "hidden" not in shown
