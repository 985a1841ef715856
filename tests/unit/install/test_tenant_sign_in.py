"""From the answers to a token; the ways to sign in are tested in tests/unit/tenant."""

from pathlib import Path
from typing import Any

import pytest

from mstunnel_setup.answers.merge import merge
from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.install.tenant_sign_in import sign_in
from mstunnel_setup.io.clock import SystemClock
from mstunnel_setup.io.files import Files
from mstunnel_setup.tenant.token_sources import TokenSource
from tests.refusals import refused


def _sign_in(root: Path, **given: str) -> TokenSource:
    unused: Any = None
    answers = merge({f"sign_in.{name}": value for name, value in given.items()}, {})
    return sign_in(
        answers,
        unused,
        SystemClock(),
        unused,
        Files(root),
        permissions=(),
        client_id=lambda: given["client_id"],
        secret=lambda _reference: "hidden-secret",
    )


def test_a_token_file_is_read_on_this_machine_without_any_request(tmp_path: Path) -> None:
    """As every file that an administrator names, it does not lie below `--root`."""
    (tmp_path / "token").write_text("a-token\n")
    source = _sign_in(tmp_path / "root", method="token-file", token_file=str(tmp_path / "token"))
    assert source() == "a-token"


def test_an_application_needs_its_tenant(tmp_path: Path) -> None:
    app = "11111111-2222-3333-4444-555555555555"
    with refused(SignInError, "tenant-missing"):
        _sign_in(tmp_path, method="client-secret", client_id=app, client_secret="file:/root/secret")


def test_a_certificate_that_is_not_there_is_named(tmp_path: Path) -> None:
    app = "11111111-2222-3333-4444-555555555555"
    with pytest.raises(SignInError, match=r"app\.pfx"):
        _sign_in(tmp_path, method="client-certificate", client_id=app, pfx=str(tmp_path / "app.pfx"))
