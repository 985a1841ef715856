"""Sources of access tokens. A token never enters a repr, a log or a message."""

import base64
from collections.abc import Callable, Mapping
from typing import Literal, TypeAlias

from mstunnel_setup.base.errors import SignInError
from mstunnel_setup.base.parsing import json_value
from mstunnel_setup.io.clock import Clock
from mstunnel_setup.io.files import Files

TokenSource: TypeAlias = Callable[[], str]
"""Returns a valid access token for one resource. Raises SignInError if there is none."""


def token_file(files: Files, path: str, clock: Clock) -> TokenSource:
    """Return a source for the token in a file that another program keeps current.

    The file is read for every use. Raises SignInError if it is missing, not a token, or expired, UsageError
    if it cannot be read.
    """

    def acquire() -> str:
        content = files.read_given(path)
        if content is None:
            raise SignInError(
                "token-missing", "there is no token file at {path}", hint="Check the path.", path=path
            )
        token = content.strip().decode("ascii", "replace")
        if not token or not token.isprintable() or " " in token or "\ufffd" in token:
            raise SignInError(
                "token-malformed",
                "{path} does not hold an access token",
                hint="Write the access token to the file, without anything else.",
                path=path,
            )
        expiry = claims(token).get("exp")
        if isinstance(expiry, int) and expiry <= clock.now().timestamp():
            raise SignInError(
                "token-expired",
                "the token in {path} has expired",
                hint="Replace it with a valid token.",
                path=path,
            )
        return token

    return acquire


def claims(token: str) -> Mapping[str, object]:
    """Return the claims of a JWT (RFC 7519), or nothing for another token. Nothing is verified.

    Graph verifies its tokens; here the claims only serve earlier and better messages.
    """
    return _decoded(token, "claims")


def header(token: str) -> Mapping[str, object]:
    """Return the header of a JWT, or nothing for another token. Nothing is verified."""
    return _decoded(token, "header")


def _decoded(token: str, name: Literal["header", "claims"]) -> Mapping[str, object]:
    """Return one of the two JSON parts of a JWT."""
    try:
        part = dict(zip(("header", "claims", "signature"), token.split("."), strict=True))[name]
        padded = part + "=" * (-len(part) % 4)
        found = json_value(base64.urlsafe_b64decode(padded))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
